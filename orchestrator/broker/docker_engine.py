"""The calls to the Docker engine that the broker makes, on the containers of one stack.

Never creates, removes or executes anything. Containers are found by their labels, so no name that
came from outside reaches the engine: ids and networks are those that it lists for the stack.
"""

import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import docker
from docker.errors import APIError, DockerException
from requests import RequestException
from requests.exceptions import ConnectionError as Disconnected
from requests.exceptions import ReadTimeout
from urllib3.exceptions import HTTPError

from orchestrator.broker.cpu_quota import CpuQuota
from orchestrator.errors import BackendError
from sre_autopilot.world.stack import (
    CPU_PERIOD_US,
    LABEL_CONTAINER,
    LABEL_MESH_ADDRESS,
    LABEL_PROJECT,
    BrokerVerb,
    Network,
)

LABEL_NETWORK = "com.docker.compose.network"
LABEL_ONE_OFF = "com.docker.compose.oneoff"
"""Set on containers of `docker compose run`, which are not of the stack."""
RUNNING, EXITED = "running", "exited"
"""Two of the engine's container states."""

TIMEOUT_S = 8.0
MIB = 2**20


class EngineFailed(BackendError):
    """The engine refused or failed an order."""

    status = 502


class EngineSilent(EngineFailed):
    """The engine does not answer."""

    status = 503


class ContainerMissing(EngineFailed):
    """A container of the stack does not exist: the stack is down, or still being created."""

    status = 503

    def __init__(self, project: str, names: Sequence[str]) -> None:
        super().__init__(f"project {project} has no container {', '.join(names)}: is the stack up?")


@dataclass(frozen=True, slots=True)
class Container:
    """One container as the engine describes it.

    `addresses` holds the networks it is attached to, without an address while it does not run.
    """

    id: str
    running: bool
    paused: bool
    exit_code: int | None
    oom_killed: bool
    started_at: str
    finished_at: str
    cpu_cores: float
    memory_limit_mb: float
    mesh_address: str | None
    addresses: Mapping[Network, str | None]


@dataclass(frozen=True, slots=True)
class Listed:
    """One container as the engine lists it."""

    id: str
    labels: Mapping[str, str]
    state: str
    image: str


class DockerEngine:
    """The containers of one Compose project. Every method blocks; thread-safe."""

    def __init__(self, api: docker.APIClient, project: str) -> None:
        self._api = api
        self._project = project
        self._networks: Mapping[Network, str] = {}

    def listed(self) -> Mapping[str, str]:
        """The engine's state of each container that exists, by name, in one call."""
        return {name: listed.state for name, listed in self.listing().items()}

    def listing(self) -> Mapping[str, Listed]:
        """State and image of each container that exists, by name, in one call."""
        return {listed.labels[LABEL_CONTAINER]: listed for listed in self._list()}

    def inspect(self, name: str) -> Container:
        """Raises ContainerMissing."""
        ids = [listed.id for listed in self._list(f"{LABEL_CONTAINER}={name}")]
        if not ids:
            raise ContainerMissing(self._project, [name])
        with _mapped(name):
            return self._container(self._api.inspect_container(ids[-1]))

    def start(self, container: Container) -> None:
        with _mapped(BrokerVerb.START):
            self._api.start(container.id)

    def restart(self, container: Container) -> None:
        """Kills it at once."""
        with _mapped(BrokerVerb.RESTART):
            self._api.restart(container.id, timeout=0)

    def stop(self, container: Container, grace_s: float) -> None:
        """Kills it where it outlives `grace_s`. The engine's own grace takes whole seconds only."""
        with _mapped(BrokerVerb.STOP):
            if grace_s > 0:
                self._api.kill(container.id, signal.SIGTERM)
                with suppress(ReadTimeout, Disconnected):
                    self._api.wait(container.id, timeout=grace_s)
            self._api.stop(container.id, timeout=0)

    def connect(self, container: Container, network: Network, aliases: Sequence[str]) -> None:
        """Attaches it to a network: to the mesh at its own address."""
        with _mapped(BrokerVerb.CONNECT):
            self._api.connect_container_to_network(
                container.id,
                self._network(network),
                ipv4_address=container.mesh_address if network is Network.MESH else None,
                aliases=list(aliases),
            )

    def disconnect(self, container: Container) -> None:
        """Detaches it from the mesh."""
        with _mapped(BrokerVerb.DISCONNECT):
            self._api.disconnect_container_from_network(container.id, self._network(Network.MESH))

    def give_cpu(self, container: Container, cores: float) -> None:
        quota_us, period_us = CpuQuota.of(cores)
        with _mapped(BrokerVerb.LIMIT):
            self._api.update_container(container.id, cpu_period=period_us, cpu_quota=quota_us)

    def give_memory(self, container: Container, limit_mb: int) -> None:
        """Sets its limit, without any swap."""
        limit = f"{limit_mb}m"
        with _mapped(BrokerVerb.REPAIR):
            self._api.update_container(container.id, mem_limit=limit, memswap_limit=limit)

    def unpause(self, container: Container) -> None:
        with _mapped(BrokerVerb.REPAIR):
            self._api.unpause(container.id)

    def was_stopped(self, container: Container) -> bool:
        """Whether its last exit was requested, as far back as the engine keeps events.

        The exit code does not show it: a container that outlives a stop's grace is killed too.
        """
        ended_at = datetime.fromisoformat(container.finished_at).timestamp()
        with _mapped("events"):
            events = self._api.events(
                since=f"{ended_at:.6f}",
                until=f"{time.time():.6f}",
                filters={"container": container.id, "event": "stop"},
                decode=True,
            )
            return any(True for _ in events)

    def _list(self, *labels: str) -> list[Listed]:
        """Of two with one name, the one to use comes last.

        Compose creates a new one before it removes the old. The one that runs is used, or else
        the newer.
        """
        filters = [f"{LABEL_PROJECT}={self._project}", *labels]
        with _mapped("list"):
            listed = self._api.containers(all=True, filters={"label": filters})
        own = [c for c in listed if c["Labels"].get(LABEL_ONE_OFF) != "True"]
        own.sort(key=lambda c: (c["State"] == RUNNING, c["Created"]))
        return [
            Listed(c["Id"], c["Labels"], c["State"], c["ImageID"])
            for c in own
            if LABEL_CONTAINER in c["Labels"]
        ]

    def _container(self, raw: Mapping[str, Any]) -> Container:
        state, host, attached = raw["State"], raw["HostConfig"], raw["NetworkSettings"]["Networks"]
        period_us = host["CpuPeriod"] or CPU_PERIOD_US
        return Container(
            id=raw["Id"],
            running=state["Running"],
            paused=state["Paused"],
            exit_code=None if state["Running"] else state["ExitCode"],
            oom_killed=state["OOMKilled"],
            started_at=state["StartedAt"],
            finished_at=state["FinishedAt"],
            # Without a quota it may use the whole machine.
            cpu_cores=host["CpuQuota"] / period_us if host["CpuQuota"] > 0 else os.cpu_count() or 1,
            memory_limit_mb=host["Memory"] / MIB,
            mesh_address=raw["Config"]["Labels"].get(LABEL_MESH_ADDRESS),
            addresses={
                network: attached[name]["IPAddress"] or None
                for network in Network
                for name in [self._named().get(network)]
                if name in attached
            },
        )

    def _network(self, network: Network) -> str:
        name = self._named().get(network)
        if name is None:
            raise EngineFailed(f"project {self._project} has no network {network}")
        return name

    def _named(self) -> Mapping[Network, str]:
        """The engine's names of the stack's networks, cached once all exist."""
        if len(self._networks) < len(Network):
            with _mapped("list networks"):
                listed = self._api.networks(
                    filters={"label": [f"{LABEL_PROJECT}={self._project}", LABEL_NETWORK]}
                )
            names = {n["Labels"][LABEL_NETWORK]: n["Name"] for n in listed}
            self._networks = {n: names[n] for n in Network if n in names}
        return self._networks


@contextmanager
def _mapped(what: str) -> Iterator[None]:
    """Raises the client's errors as EngineFailed or EngineSilent."""
    try:
        yield
    except APIError as error:
        raise EngineFailed(f"{what}: {error.explanation or error}") from error
    except (DockerException, RequestException, HTTPError, OSError) as error:
        raise EngineSilent(f"{what}: the engine does not answer: {error}") from error
