"""The backend with the real services behind it: traffic flows, kills and leaks are real."""

import shutil
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import psutil
import pytest

from chaos.fault import NO_IMPAIRMENTS, Impairments
from orchestrator.actions import ACTIONS, Situation
from orchestrator.backends.process.backend import ProcessBackend
from orchestrator.errors import BackendError
from orchestrator.reconcile import reconcile, routing_of
from orchestrator.telemetry.window import Window
from services.runtime.spec import LOOPBACK
from sre_autopilot.world.deployment import ReplicaId, initial_deployment
from sre_autopilot.world.signals import ControlRoute
from sre_autopilot.world.topology import CALLS, ENTRY, LIMITS, USERS, Service
from sre_autopilot.world.vocabulary import IMPAIRMENT_TTL_S, OOM_EXIT_CODE, ActionName, Release
from tests.orchestrator.backends.conftest import until_async
from tests.orchestrator.backends.process.test_environ import HOSTILE

pytestmark = pytest.mark.anyio

ALL = routing_of(initial_deployment(), 0, frozenset())
DB = ReplicaId(Service.USER_DB, 0)
EDGES = {(USERS, ENTRY), *((a, b) for a, callees in CALLS.items() for b in callees)}
PATIENCE = 20
"""Windows to wait for a good one: other work on the machine may spoil some."""
FLOWING_ERROR_RATE = 0.1
"""How fast calls are is the machine's affair here, and some may time out on a busy one."""


@pytest.fixture(scope="module")
async def backend(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ProcessBackend]:
    backend = ProcessBackend(temp_root=tmp_path_factory.mktemp("real"))
    yield backend
    await backend.aclose()


@pytest.fixture
async def mesh(backend: ProcessBackend) -> ProcessBackend:
    await backend.launch(1)
    await backend.route(ALL)
    return backend


def edges(window: Window) -> set[tuple[str, str]]:
    return {(call.caller, call.callee) for call in window.edge_calls}


def flows(window: Window) -> bool:
    rates = [measured.error_rate for measured in window.services.values()]
    low = (rate is not None and rate <= FLOWING_ERROR_RATE for rate in rates)
    return edges(window) == EDGES and all(low)


def agrees(window: Window) -> bool:
    """Histograms and spans hold the same calls, but for those under way at the window's ends."""
    counted = sum(measured.calls.total for measured in window.services.values())
    return len(window.edge_calls) == pytest.approx(counted, rel=0.2, abs=8)


async def window_that_flows(
    mesh: ProcessBackend, holds: Callable[[Window], bool] = flows
) -> Window:
    for step in range(PATIENCE):
        window = await mesh.observe(step)
        if flows(window) and holds(window):
            return window
    raise AssertionError(f"{window.services} {EDGES - edges(window)} {len(window.edge_calls)}")


async def apply(mesh: ProcessBackend, impairments: Impairments) -> Impairments | None:
    return await mesh.apply(DB, impairments, 1, IMPAIRMENT_TTL_S)


async def test_a_healthy_mesh_is_seen_whole(mesh: ProcessBackend) -> None:
    window = await window_that_flows(mesh, agrees)
    for service, measured in window.services.items():
        assert measured.calls.total > 0, service
        assert measured.cpu_pct is not None and measured.cpu_pct > 0.0
        assert measured.memory_pct is not None and 5.0 < measured.memory_pct < 50.0
    served = [call.served_span for call in window.edge_calls]
    assert sum(served) >= 0.9 * len(served)


async def test_a_leak_ends_in_an_oom_kill_that_callers_see(mesh: ProcessBackend) -> None:
    await apply(mesh, Impairments(memory_leak_mb=LIMITS[DB.service].memory_limit_mb))
    await until_async(lambda: mesh.dead() == {DB: OOM_EXIT_CODE})
    window = await mesh.observe(1)
    measured = window.services[DB.service]
    assert measured.calls.total == measured.calls.failed > 0
    assert (measured.cpu_pct, measured.memory_pct) == (None, None)
    await mesh.start(DB, Release.CURRENT)
    await mesh.route(ALL)
    assert await window_that_flows(mesh)


async def test_a_restart_right_after_an_oom_kill_is_a_new_process(mesh: ProcessBackend) -> None:
    await apply(mesh, Impairments(memory_leak_mb=LIMITS[DB.service].memory_limit_mb))
    await until_async(lambda: mesh.dead() == {DB: OOM_EXIT_CODE})
    step = 2
    revived = initial_deployment().revived(DB, step)
    await mesh.start(DB, Release.CURRENT)
    await mesh.ready(frozenset({DB}))
    before = pids()
    restarted = ACTIONS[ActionName.RESTART].apply(DB.service, Situation(revived, step, 1))
    await reconcile(mesh, revived, restarted, step)
    (ended,), (started,) = before - pids(), pids() - before
    assert ended != started


async def test_processes_that_were_stopped_from_outside_are_no_hindrance(
    mesh: ProcessBackend,
) -> None:
    for process in psutil.Process().children(recursive=True):
        process.suspend()
    await mesh.launch(2)
    await mesh.route(ALL)
    assert not mesh.dead()


def pids() -> set[int]:
    """Processes of all meshes of this test process."""
    return {process.pid for process in psutil.Process().children(recursive=True)}


async def test_impairments_take_hold_and_are_healed(mesh: ProcessBackend) -> None:
    impairments = Impairments(held_connections={str(DB): 4}, partitioned=0.6, cpu_fraction=0.9)
    assert await apply(mesh, impairments) == impairments
    measured = (await mesh.observe(1)).services[DB.service]
    assert measured.calls.failed > 0 or measured.calls.total < 3
    assert await apply(mesh, NO_IMPAIRMENTS) == NO_IMPAIRMENTS
    assert await window_that_flows(mesh)


async def test_the_host_s_variables_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("HOME", raising=False)
    mesh = ProcessBackend(temp_root=tmp_path)
    try:
        await mesh.launch(1)
        await mesh.route(ALL)
        assert await window_that_flows(mesh, agrees)
    finally:
        await mesh.aclose()


async def test_a_mesh_whose_folder_was_removed_fails(tmp_path: Path) -> None:
    """What it starts from then on would die, and its service be gone for good."""
    mesh = ProcessBackend(temp_root=tmp_path)
    try:
        await mesh.launch(1)
        await mesh.route(ALL)
        for folder in tmp_path.iterdir():
            shutil.rmtree(folder)
        with pytest.raises(BackendError, match=r"folder .* was removed"):
            await mesh.observe(1)
    finally:
        await mesh.aclose()


async def test_traffic_flows_again_after_a_restart_of_the_gateway(mesh: ProcessBackend) -> None:
    gateway = ReplicaId(ENTRY, 0)
    await mesh.restart(gateway)
    await mesh.ready(frozenset({gateway}))
    await mesh.route(ALL)
    assert await window_that_flows(mesh)


async def test_the_ports_of_a_dead_process_are_no_strangers(mesh: ProcessBackend) -> None:
    """Callers still send it the mesh's token, until the window ends."""
    (dead,) = (handle for handle in mesh.handles() if handle.target and handle.name == str(DB))
    assert dead.target is not None
    await mesh.stop(DB)
    for url in (dead.target.data_url, dead.target.control_url):
        with pytest.raises(OSError, match="in use"), socket.socket() as stranger:
            stranger.bind((LOOPBACK, httpx.URL(url).port))


async def test_no_port_of_the_mesh_answers_without_its_token(mesh: ProcessBackend) -> None:
    """All that listen, found as another user of the machine finds them.

    Data ports too: their answers carry no noise, and tell who asks which service is broken.
    """
    targets = [handle.target for handle in mesh.handles() if handle.target]
    data_ports = {httpx.URL(target.data_url).port for target in targets}
    pids = {process.pid for process in psutil.Process().children(recursive=True)}
    listening = {
        c.laddr.port
        for c in psutil.net_connections("tcp")
        if c.pid in pids and c.status == psutil.CONN_LISTEN
    }
    control_ports = {httpx.URL(target.control_url).port for target in targets}
    assert listening == control_ports | (data_ports - {0}), "the users have no data port"
    async with httpx.AsyncClient(trust_env=False, verify=False) as stranger:
        for port in control_ports:
            for route in ControlRoute:
                for method in ("GET", "PUT", "POST"):
                    url = f"http://{LOOPBACK}:{port}{route}"
                    answer = await stranger.request(method, url, json={})
                    assert answer.status_code == 401, (method, url)
                    assert "seed" not in answer.text
        for port in data_ports - {0}:
            for method, path in (("POST", "/charges"), ("GET", "/users"), ("GET", "/nowhere")):
                answer = await stranger.request(method, f"http://{LOOPBACK}:{port}{path}", json={})
                assert answer.status_code == 401, (port, path)
