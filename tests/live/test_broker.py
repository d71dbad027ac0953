"""The broker over a real engine: a stack of three small containers, and two that are not its."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import docker
import httpx
import pytest
from docker.models.containers import Container
from docker.types import IPAMConfig, IPAMPool
from starlette.testclient import TestClient

from orchestrator.broker.app import create_app
from orchestrator.broker.cpu_quota import LEAST_QUOTA_US, LONGEST_PERIOD_US
from orchestrator.broker.docker_engine import (
    LABEL_NETWORK,
    LABEL_ONE_OFF,
    DockerEngine,
)
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.stack import (
    CPU_PERIOD_US,
    LABEL_CONTAINER,
    LABEL_MESH_ADDRESS,
    LABEL_PROJECT,
    STALLED_CPU_SHARE,
    Network,
    Part,
    network_alias,
)
from sre_autopilot.world.topology import LIMITS, Service
from tests.architecture.source import ROOT

pytestmark = pytest.mark.live

IMAGE = "debian:trixie-slim"
DEAF = ["sleep", "infinity"]
"""A container's first process, which gets SIGTERM and does not end."""
HEARS = ["bash", "-c", "trap 'exit 0' TERM; sleep infinity & wait"]
DB = str(ReplicaId(Service.USER_DB, 0))
LIMIT_CORES = LIMITS[Service.USER_DB].cpu_limit_cores
ALIASES = {network_alias(name, Network.MESH) for name in (DB, Service.USER_DB)}
SUBNETS = [f"10.231.{third}.0/24" for third in range(200, 232)]
WAIT_S = 20.0
DEATH_S = 3.0
"""A clean end takes much less, a broker that hangs much more."""


class Stack:
    """Containers and networks of a project of its own, gone when the test ends."""

    def __init__(self, engine: docker.DockerClient) -> None:
        self._engine = engine
        self.project = f"sre-broker-test-{uuid4().hex[:8]}"
        self.networks: dict[Network, Any] = {}
        self.made: list[Container] = []

    def network(self, network: Network, **options: Any) -> None:
        labels = {LABEL_PROJECT: self.project, LABEL_NETWORK: network}
        self.networks[network] = self._engine.networks.create(
            f"{self.project}_{network}", labels=labels, internal=True, **options
        )

    def mesh(self) -> str:
        """On the first free subnet; returns its first three numbers."""
        for subnet in SUBNETS:
            with contextlib.suppress(docker.errors.APIError):
                ipam = IPAMConfig(pool_configs=[IPAMPool(subnet=subnet)])
                self.network(Network.MESH, ipam=ipam)
                return subnet.removesuffix(".0/24")
        raise AssertionError("all subnets are taken")

    def container(self, name: str, command: list[str], **labels: str) -> Container:
        made = self._engine.containers.create(
            IMAGE,
            command,
            labels={LABEL_PROJECT: self.project, LABEL_CONTAINER: name, **labels},
            network=self.networks[Network.TELEMETRY].name,
            cpu_period=CPU_PERIOD_US,
            cpu_quota=round(LIMIT_CORES * CPU_PERIOD_US),
        )
        self.made.append(made)
        return made

    def remove(self) -> None:
        for container in self.made:
            container.remove(force=True)
        for network in self.networks.values():
            network.remove()


@pytest.fixture
def stack(engine: docker.DockerClient) -> Iterator[Stack]:
    stack = Stack(engine)
    try:
        stack.network(Network.TELEMETRY)
        yield stack
    finally:
        stack.remove()


@pytest.fixture
def db(stack: Stack) -> Container:
    address = f"{stack.mesh()}.10"
    db = stack.container(DB, DEAF, **{LABEL_MESH_ADDRESS: address})
    stack.networks[Network.MESH].connect(db, ipv4_address=address, aliases=sorted(ALIASES))
    db.start()
    return db


@pytest.fixture
def client(engine: docker.DockerClient, stack: Stack) -> Iterator[TestClient]:
    """With its controller."""
    app = create_app(DockerEngine(engine.api, stack.project), stack.project)
    with TestClient(app) as client:
        yield client


def order(client: TestClient, verb: str, **arguments: float) -> dict[str, Any]:
    answer = client.post(f"/containers/{DB}/{verb}", json=arguments)
    assert answer.status_code == 200, answer.text
    state: dict[str, Any] = answer.json()
    return state


def inspected(container: Container) -> dict[str, Any]:
    container.reload()
    attrs: dict[str, Any] = container.attrs
    return attrs


def wait_until(holds: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline_s, "waited in vain"


def mesh_of(stack: Stack, container: Container) -> dict[str, Any] | None:
    attached = inspected(container)["NetworkSettings"]["Networks"]
    mesh: dict[str, Any] | None = attached.get(stack.networks[Network.MESH].name)
    return mesh


def test_a_state_is_the_engines(client: TestClient, db: Container, stack: Stack) -> None:
    state, attrs = client.get(f"/containers/{DB}").json(), inspected(db)
    telemetry = attrs["NetworkSettings"]["Networks"][stack.networks[Network.TELEMETRY].name]
    assert state == {
        "name": DB,
        "running": True,
        "exit_code": None,
        "oom_killed": False,
        "started_at": attrs["State"]["StartedAt"],
        "on_mesh": True,
        "mesh_address": attrs["Config"]["Labels"][LABEL_MESH_ADDRESS],
        "control_address": telemetry["IPAddress"],
        "cpu_share": 1.0,
        "repaired": [],
    }


def test_a_restart_is_one(client: TestClient, db: Container) -> None:
    before = inspected(db)["State"]
    state = order(client, "restart")
    after = inspected(db)["State"]
    assert state["started_at"] == after["StartedAt"] != before["StartedAt"]
    assert after["Pid"] != before["Pid"]
    assert state["cpu_share"] == 1.0 / LIMIT_CORES


@pytest.mark.parametrize("grace_s", [0.0, 0.3])
def test_a_replica_stops_and_starts(client: TestClient, db: Container, grace_s: float) -> None:
    began_s = time.monotonic()
    stopped = order(client, "stop", grace_s=grace_s)
    assert grace_s <= time.monotonic() - began_s < grace_s + DEATH_S
    assert (stopped["running"], stopped["exit_code"]) == (False, 128 + signal.SIGKILL)
    assert (stopped["on_mesh"], stopped["control_address"]) == (True, None)
    assert order(client, "stop", grace_s=grace_s) == stopped
    started = order(client, "start")
    assert inspected(db)["State"]["Running"]
    assert order(client, "start") == started


def test_a_grace_is_used_no_longer_than_needed(client: TestClient, stack: Stack) -> None:
    stack.container(DB, HEARS).start()
    began_s = time.monotonic()
    stopped = order(client, "stop", grace_s=10.0)
    assert stopped["exit_code"] in (0, 128 + signal.SIGTERM)
    assert time.monotonic() - began_s < 2 * DEATH_S


@pytest.mark.parametrize("runs", [True, False])
def test_a_partition_ends_at_the_same_address(
    client: TestClient, db: Container, stack: Stack, runs: bool
) -> None:
    if not runs:
        order(client, "stop", grace_s=0.0)
    assert order(client, "disconnect")["on_mesh"] is False
    assert mesh_of(stack, db) is None
    assert order(client, "disconnect")["on_mesh"] is False
    assert order(client, "connect")["on_mesh"] is True
    assert order(client, "connect")["on_mesh"] is True
    if not runs:
        order(client, "start")
    mesh = mesh_of(stack, db)
    assert mesh is not None
    assert mesh["IPAddress"] == db.labels[LABEL_MESH_ADDRESS]
    assert set(mesh["Aliases"]) >= ALIASES
    assert not set(mesh["Aliases"]) & {DB, Service.USER_DB}


@pytest.mark.parametrize(
    ("share", "us"),
    [
        (1.0, (LIMIT_CORES * CPU_PERIOD_US, CPU_PERIOD_US)),
        (0.5, (LIMIT_CORES * CPU_PERIOD_US / 2, CPU_PERIOD_US)),
        (STALLED_CPU_SHARE, (LEAST_QUOTA_US, LONGEST_PERIOD_US)),
    ],
)
def test_a_limit_is_the_engines_quota_and_period(
    client: TestClient, db: Container, share: float, us: tuple[float, int]
) -> None:
    state = order(client, "limit", cpu_share=share)
    host = inspected(db)["HostConfig"]
    assert (host["CpuQuota"], host["CpuPeriod"]) == us
    assert state["cpu_share"] == pytest.approx(us[0] / us[1] / LIMIT_CORES)


def test_killed_parts_come_back_and_stopped_ones_do_not(client: TestClient, stack: Stack) -> None:
    killed, deaf, ended = (
        stack.container(part, command)
        for part, command in (
            (Part.CHAOS, DEAF),
            (Part.PROMETHEUS, DEAF),
            (Part.ORCHESTRATOR, HEARS),
        )
    )
    for container in stack.made:
        container.start()
    deaf.stop(timeout=0)
    ended.stop(timeout=5)
    for _ in range(2):  # when the second is back, the controller has looked at the others, too
        killed.kill()
        wait_until(lambda: bool(inspected(killed)["State"]["Running"]))
    assert inspected(deaf)["State"]["ExitCode"] == 128 + signal.SIGKILL
    assert not inspected(deaf)["State"]["Running"]
    assert not inspected(ended)["State"]["Running"]
    revived = f'sre_broker_revivals_total{{container="{Part.CHAOS}"}} 2.0'
    wait_until(lambda: revived in client.get("/metrics").text)


def test_containers_of_others_cannot_be_reached(
    client: TestClient, stack: Stack, db: Container
) -> None:
    other = stack.container(DB, DEAF, **{LABEL_PROJECT: f"{stack.project}-2"})
    one_off = stack.container(DB, DEAF, **{LABEL_ONE_OFF: "True"})
    for container in (other, one_off):
        container.start()
    began = [inspected(container)["State"]["StartedAt"] for container in (other, one_off)]
    order(client, "restart")
    order(client, "stop", grace_s=0.0)
    for name in (other.id, other.name, one_off.id, db.id, db.name, f"../{db.id}", "json"):
        assert client.post(f"/containers/{name}/restart").status_code in (404, 405)
    for path in ("/info", "/images/json", "/v1.41/version", f"/containers/{db.id}/json"):
        assert client.get(path).status_code in (404, 405)
    assert [inspected(container)["State"]["StartedAt"] for container in (other, one_off)] == began
    db.remove(force=True)
    stack.made.remove(db)
    assert client.get(f"/containers/{DB}").status_code == 503
    assert client.get("/containers").status_code == 503


def test_the_program_serves_until_sigterm(stack: Stack, db: Container) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "orchestrator.broker.app", "--host", "127.0.0.1", "--port", "0"],
        cwd=ROOT,
        env={**os.environ, "SRE_PROJECT": stack.project},
        stderr=subprocess.PIPE,
        text=True,
    ) as broker:
        try:
            assert broker.stderr is not None
            address = next(filter(None, (re.search(r"http://\S+", s) for s in broker.stderr)))
            with httpx.Client(base_url=address[0], trust_env=False) as http:
                assert http.get("/healthz").json() == {"status": "healthy"}
                assert http.get(f"/containers/{DB}").json()["running"]
            began_s = time.monotonic()
            broker.terminate()
            broker.wait(WAIT_S)
            assert time.monotonic() - began_s < DEATH_S
        finally:
            broker.kill()
