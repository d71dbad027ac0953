"""A stack in memory: brokers, chaos and control ports behind one transport, open to the test."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from chaos.broker_client import BrokerClient
from orchestrator.backends.docker.chaos_client import ChaosClient
from orchestrator.backends.docker.lifecycle import DockerLifecycle
from orchestrator.backends.docker.supervisor import Supervisor, container_of
from orchestrator.backends.live.control_client import ControlClient
from services.runtime.spec import UNUSED_SEED
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.signals import CPU_SECONDS, MEMORY_BYTES, METRICS_LENGTH, ControlRoute
from sre_autopilot.world.stack import REPLICAS, STALLED_CPU_SHARE, BrokerVerb, Part
from sre_autopilot.world.topology import LIMITS
from sre_autopilot.world.vocabulary import OOM_EXIT_CODE, Release

BROKERS = tuple(f"http://{part}.example:8200" for part in (Part.BROKER, Part.BROKER_STANDBY))
CHAOS = f"http://{Part.CHAOS}.example:8300"
STARTING_CPU_SHARE = 4.0
REFUSALS_WHILE_IT_STARTS = 2
RETRY_S = 0.2
READY_TIMEOUT_S = 5.0
HEALED = {"partitioned": 0.0, "cpu_fraction": 1.0}


@dataclass
class Container:
    """One container, and the orders that its process got."""

    name: str
    address: str
    memory_limit_mb: float
    running: bool = True
    exit_code: int | None = None
    starts: int = 1
    cpu_share: float = 1.0
    on_mesh: bool = True
    refuses: int = 0
    seed: int = UNUSED_SEED
    release: Release = Release.CURRENT
    routings: int = 0
    impaired: dict[str, Any] = field(default_factory=dict)
    image: str = "sha256:mesh"
    damage: list[str] = field(default_factory=list)
    """What others changed, and a repair undoes."""

    def start(self) -> None:
        """A fresh process, as from anybody's hand."""
        self.running, self.exit_code = True, None
        self.starts += 1
        self.refuses = REFUSALS_WHILE_IT_STARTS
        self.seed, self.release = UNUSED_SEED, Release.CURRENT
        self.routings, self.impaired = 0, {}

    def die(self, exit_code: int) -> None:
        self.running, self.exit_code = False, exit_code

    @property
    def state(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "running": self.running,
            "exit_code": self.exit_code,
            "oom_killed": self.exit_code == OOM_EXIT_CODE,
            "started_at": f"start {self.starts}",
            "on_mesh": self.on_mesh,
            "mesh_address": None if self.name == Part.TRAFFIC else f"mesh.{self.address}",
            "control_address": self.address if self.running else None,
            "cpu_share": self.cpu_share,
        }


class FakeStack:
    """What a transport can reach. `away` hosts give no answer; `done` lists the requests."""

    def __init__(self) -> None:
        self.containers = {
            str(replica): Container(
                str(replica),
                f"{index}.example",
                LIMITS[replica.service].memory_limit_mb,
                running=replica.index == 0,
                exit_code=None if replica.index == 0 else 0,
            )
            for index, replica in enumerate(REPLICAS)
        }
        self.containers[Part.TRAFFIC] = Container(Part.TRAFFIC, f"{Part.TRAFFIC}.example", 0.0)
        self.transport = httpx.MockTransport(self._answer)
        self.away: set[str] = set()
        self.beyond_repair: set[str] = set()
        self.outside: dict[str, dict[str, float]] = {}
        self.done: list[tuple[str, ...]] = []

    def __getitem__(self, name: ReplicaId | str) -> Container:
        return self.containers[container_of(str(name))]

    def asked(self, *of: str) -> list[tuple[str, ...]]:
        """What was asked of these names, in order, and nothing about others."""
        return [done for done in self.done if not {*of} - {*done}]

    def lose(self, *urls: str) -> None:
        """From now on that address gives no answer."""
        self.away |= {httpx.URL(url).host for url in urls}

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.host in self.away:
            raise httpx.ConnectError("nobody is there")
        body = json.loads(request.content or "{}")
        if any(request.url.host == httpx.URL(broker).host for broker in BROKERS):
            return self._as_broker(request.url.path, body)
        if request.url.host == httpx.URL(CHAOS).host:
            return self._as_chaos(request, body)
        for container in self.containers.values():
            if container.address == request.url.host:
                return self._as_process(container, request, body)
        raise httpx.ConnectError(f"no such host: {request.url.host}")

    def _as_broker(self, path: str, body: Mapping[str, float]) -> httpx.Response:
        _, _, *rest = path.split("/")
        if not rest:
            listed = {
                name: {"running": c.running, "image": c.image}
                for name, c in self.containers.items()
            }
            return httpx.Response(200, json={"containers": listed})
        if rest[-1] == BrokerVerb.REPAIR:
            return self._repair(rest[0])
        container = self.containers[rest[0]]
        for verb in map(BrokerVerb, rest[1:]):
            self.done.append((Part.BROKER, verb, container.name))
            if verb is BrokerVerb.STOP and container.running:
                container.die(0)
            elif verb is BrokerVerb.LIMIT:
                assert STALLED_CPU_SHARE <= body["cpu_share"] <= 1.0
                container.cpu_share = body["cpu_share"]
            elif verb is BrokerVerb.RESTART:
                container.cpu_share = STARTING_CPU_SHARE
                container.start()
        return httpx.Response(200, json=container.state)

    def _repair(self, name: str) -> httpx.Response:
        """Recorded where there was something to repair."""
        if name in self.beyond_repair:
            return httpx.Response(502, json={"detail": "the engine refuses"})
        container = self.containers.get(name, Container(name, f"{name}.example", 0.0))
        damage, container.damage = container.damage, []
        if damage:
            self.done.append((Part.BROKER, BrokerVerb.REPAIR, name))
        return httpx.Response(200, json={**container.state, "repaired": damage})

    def _as_chaos(self, request: httpx.Request, body: dict[str, float]) -> httpx.Response:
        name = request.url.path.rpartition("/")[2]
        self.done.append((Part.CHAOS, request.method, name))
        if request.method == "DELETE":
            self.outside.clear()
            return httpx.Response(204)
        body.pop("ttl_s")
        self.outside[name] = body
        if body == HEALED:
            del self.outside[name]
        return httpx.Response(200, json=body)

    def _as_process(
        self, container: Container, request: httpx.Request, body: dict[str, Any]
    ) -> httpx.Response:
        if not container.running or container.refuses:
            container.refuses = max(0, container.refuses - 1)
            raise httpx.ConnectError("connection refused")
        route = ControlRoute(request.url.path)
        self.done.append((container.name, request.method, route))
        if route in (ControlRoute.METRICS, ControlRoute.FLUSH):
            page = f"{CPU_SECONDS} 1.0\n{MEMORY_BYTES} 2e7\n"
            return httpx.Response(200, text=page, headers={METRICS_LENGTH: str(len(page))})
        if route is ControlRoute.RELEASE and request.method == "GET":
            body = {"release": container.release, "seed": container.seed}
        elif route is ControlRoute.RELEASE:
            container.release, container.seed = Release(body["release"]), body["seed"]
        elif route is ControlRoute.ROUTING:
            container.routings += 1
        elif route is ControlRoute.IMPAIRMENTS:
            if body["memory_leak_mb"] >= container.memory_limit_mb:
                container.die(OOM_EXIT_CODE)
                raise httpx.RemoteProtocolError("server disconnected")
            container.impaired = body
        return httpx.Response(200, json=body)


class Mesh(DockerLifecycle):
    """A lifecycle in a stack, with all that it is made of."""

    def __init__(self, stack: FakeStack, ready_timeout_s: float = READY_TIMEOUT_S) -> None:
        self.stack = stack
        self.control = ControlClient(transport=stack.transport)
        self.broker = BrokerClient(BROKERS, transport=stack.transport)
        self.chaos = ChaosClient(CHAOS, retry_s=RETRY_S, transport=stack.transport)
        self.supervisor = Supervisor(self.broker, self.control)
        super().__init__(self.supervisor, self.chaos, ready_timeout_s=ready_timeout_s)
