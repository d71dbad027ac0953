"""Windows of a mesh of stand-ins: each page counts ten calls more, so does each window."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from orchestrator.backends.process.backend import ProcessBackend
from orchestrator.errors import ReplicaUnreachable
from orchestrator.telemetry.window import Window
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.topology import CALLS, ENTRY, USERS, Service, callers_of
from sre_autopilot.world.vocabulary import Release
from tests.orchestrator.backends.conftest import until_async
from tests.orchestrator.backends.process import stand_in

pytestmark = pytest.mark.anyio

AUTH = ReplicaId(Service.AUTH_SERVICE, 0)


def totals(window: Window) -> dict[Service, int]:
    return {service: measured.calls.total for service, measured in window.services.items()}


def expected(callers: dict[Service, int]) -> dict[Service, int]:
    return {service: CALLS_PER_PAGE * count for service, count in callers.items()}


CALLS_PER_PAGE = stand_in.CALLS_PER_PAGE
CALLERS = {service: len(callers_of(service)) or 1 for service in Service}


@pytest.fixture(scope="module")
async def backend(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ProcessBackend]:
    root = tmp_path_factory.mktemp("backend")
    backend = ProcessBackend(0.1, zygote=stand_in.COMMAND, temp_root=root)
    yield backend
    await backend.aclose()


@pytest.fixture
async def launched(backend: ProcessBackend) -> ProcessBackend:
    await backend.launch(1)
    return backend


async def test_a_window_counts_what_happened_in_it(launched: ProcessBackend) -> None:
    for step in (4, 5):
        window = await launched.observe(step)
        assert window.step == step
        assert totals(window) == expected(CALLERS)
        for measured in window.services.values():
            assert measured.sla_met
            assert measured.cpu_pct is not None and 0.0 <= measured.cpu_pct < 100.0
            assert measured.memory_pct is not None and 0.0 < measured.memory_pct < 50.0


@pytest.mark.live
async def test_a_window_lasts_a_step_and_little_longer(launched: ProcessBackend) -> None:
    await launched.observe(0)
    started_s = time.monotonic()
    await launched.observe(1)
    assert launched.step_seconds <= time.monotonic() - started_s < launched.step_seconds + 0.5


async def test_a_window_has_its_begin_and_end(launched: ProcessBackend) -> None:
    before_s = time.time()
    first = await launched.observe(0)
    second = await launched.observe(1)
    after_s = time.time()
    ends = [end for w in (first, second) for end in (w.began_at, w.ended_at) if end is not None]
    assert len(ends) == 4
    assert [before_s, *ends, after_s] == sorted([before_s, *ends, after_s])
    assert ends[1] - ends[0] >= launched.step_seconds


async def test_spans_of_a_window_are_flushed_and_placed(launched: ProcessBackend) -> None:
    window = await launched.observe(0)
    edges = {(call.caller, call.callee) for call in window.edge_calls}
    assert edges == {(USERS, ENTRY), *((a, b) for a, called in CALLS.items() for b in called)}
    assert {call.callee for call in window.edge_calls if call.served_span} == {ENTRY}


async def test_spans_of_an_earlier_window_do_not_come_back(launched: ProcessBackend) -> None:
    first = await launched.observe(0)
    second = await launched.observe(1)
    assert len(second.edge_calls) == len(first.edge_calls)


async def test_a_dead_service_has_no_processor_and_no_memory(launched: ProcessBackend) -> None:
    await launched.serving(AUTH)
    (process,) = launched.handles(AUTH.service)
    await launched._supervisor.kill([process])
    window = await launched.observe(0)
    assert window.services[AUTH.service].cpu_pct is None
    assert window.services[AUTH.service].memory_pct is None
    assert window.services[Service.USER_DB].calls.total == 0
    assert launched.dead() == {AUTH: 137}


async def test_a_replica_that_exits_in_the_window_is_left_out(launched: ProcessBackend) -> None:
    observing = asyncio.create_task(launched.observe(0))
    (process,) = launched.handles(AUTH.service)
    await launched._supervisor.kill([process])
    window = await observing
    assert window.services[AUTH.service].memory_pct is None
    assert window.services[ENTRY].memory_pct is not None


async def test_a_replica_started_in_the_window_counts_from_zero(launched: ProcessBackend) -> None:
    await launched.observe(0)
    observing = asyncio.create_task(launched.observe(1))
    await launched.restart(AUTH)
    await launched.ready(frozenset({AUTH}))
    window = await observing
    assert totals(window)[Service.USER_DB] in {CALLS_PER_PAGE, 2 * CALLS_PER_PAGE}
    assert window.services[AUTH.service].memory_pct is not None


async def test_both_replicas_of_a_caller_count(launched: ProcessBackend) -> None:
    second = ReplicaId(Service.AUTH_SERVICE, 1)
    await launched.start(second, Release.CURRENT)
    await launched.ready(frozenset({second}))
    window = await launched.observe(0)
    assert totals(window) == expected({**CALLERS, Service.USER_DB: 2})


async def test_a_window_without_traffic_raises(launched: ProcessBackend) -> None:
    (users,) = launched.handles(USERS)
    await launched._supervisor.kill([users])
    await until_async(lambda: users.exit_code is not None)
    with pytest.raises(ReplicaUnreachable, match=f"{USERS}: exit code 137"):
        await launched.observe(0)


async def test_the_figures_of_the_host_are_of_the_whole_window(launched: ProcessBackend) -> None:
    window = await launched.observe(0)
    assert window.host is not None and window.host.overshoot_ms is not None
    assert window.host.window_ms >= 1000.0 * launched.step_seconds
    assert window.host.window_ms >= window.host.overshoot_ms
