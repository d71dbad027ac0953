"""A simulated window reports calls that add up, and are the same every time."""

from itertools import pairwise

import pytest

from chaos.fault import Impairments
from orchestrator.reconcile import routing_of
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.simulator.rules.traffic import TIMEOUT_MS
from sre_autopilot.simulator.telemetry import FASTEST_SHARE
from sre_autopilot.world.deployment import ReplicaId, initial_deployment
from sre_autopilot.world.draws import Stream, uniform
from sre_autopilot.world.topology import ARRIVALS_PER_S, CALLS, ENTRY, USERS, Service

pytestmark = pytest.mark.anyio
ALL = routing_of(initial_deployment(), 0, frozenset())
GRAPH = {(caller, callee) for caller, callees in CALLS.items() for callee in callees}
EVERY_EDGE = {*GRAPH, (USERS, ENTRY)}
IMPAIRED = {
    "nothing": {},
    "half silent": {Service.USER_DB: Impairments(partitioned=0.5)},
    "silent": {Service.PAYMENT_GATEWAY: Impairments(partitioned=1.0)},
    "dropping": {Service.INVENTORY_DB: Impairments(drop_ratio=0.6)},
    "starved": {Service.ORDER_SERVICE: Impairments(cpu_fraction=0.2)},
    "two at once": {
        Service.INVENTORY_DB: Impairments(drop_ratio=0.5),
        Service.AUTH_SERVICE: Impairments(partitioned=0.5),
    },
}
STEPS = 4


async def windows(impaired, routing=ALL, seed=3):
    mesh = SimulatorBackend()
    await mesh.launch(seed)
    await mesh.route(routing)
    for service, impairments in impaired.items():
        await mesh.apply(ReplicaId(service, 0), impairments, 0, 5.0)
    return [await mesh.observe(step) for step in range(STEPS)]


def calls_to(window, service):
    return [call for call in window.edge_calls if call.callee == service]


@pytest.mark.parametrize("impaired", IMPAIRED)
async def test_edges_add_up_to_the_calls_of_their_services(impaired):
    for window in await windows(IMPAIRED[impaired]):
        assert {(call.caller, call.callee) for call in window.edge_calls} <= EVERY_EDGE
        for service, measured in window.services.items():
            calls = calls_to(window, service)
            assert len(calls) == measured.calls.total
            assert sum(call.failed for call in calls) == measured.calls.failed


async def test_every_edge_is_called_at_rest():
    for window in await windows({}):
        assert {(call.caller, call.callee) for call in window.edge_calls} == EVERY_EDGE
        assert not any(call.failed for call in window.edge_calls)
        assert all(call.served_span for call in window.edge_calls)


@pytest.mark.parametrize("impaired", IMPAIRED)
async def test_the_same_seed_gives_the_same_windows(impaired):
    assert await windows(IMPAIRED[impaired]) == await windows(IMPAIRED[impaired])


async def test_another_seed_gives_other_windows():
    assert await windows({}) != await windows({}, seed=4)


async def test_a_refused_call_takes_no_time_and_has_no_server_span():
    nowhere = type(ALL)({service: () for service in Service}, ())
    for window in await windows({}, nowhere):
        assert {(call.caller, call.callee) for call in window.edge_calls} == {(USERS, ENTRY)}
        for call in window.edge_calls:
            assert (call.failed, call.latency_ms, call.served_span) == (True, 0.0, False)
        calls = window.services[ENTRY].calls
        assert calls.total == calls.failed > 0 and calls.p99_ms is None


async def test_a_partitioned_call_has_no_server_span_and_a_dropped_one_has():
    for impaired, served in (
        (Impairments(partitioned=1.0), False),
        (Impairments(drop_ratio=1.0), True),
    ):
        window = (await windows({Service.PAYMENT_GATEWAY: impaired}))[-1]
        lost = [call for call in calls_to(window, Service.PAYMENT_GATEWAY) if call.failed]
        assert lost
        assert all(call.latency_ms == TIMEOUT_MS for call in lost)
        assert {call.served_span for call in lost} == {served}


async def test_answered_calls_take_no_longer_than_the_slowest():
    for window in await windows({}):
        for service, measured in window.services.items():
            slowest_ms = measured.calls.answered_p99_ms
            for call in calls_to(window, service):
                assert FASTEST_SHARE * slowest_ms <= call.latency_ms <= slowest_ms


async def test_windows_follow_one_another():
    measured = await windows({})
    assert measured[0].began_at == 0.0
    for sooner, later in pairwise(measured):
        assert sooner.ended_at == later.began_at
    lasted_s = measured[0].ended_at - measured[0].began_at
    assert 0.3 < lasted_s < 3.0
    arrived = sum(window.services[ENTRY].calls.total for window in measured)
    assert 0.5 < arrived / (STEPS * lasted_s * ARRIVALS_PER_S) < 1.5


async def test_calls_are_ordered_by_the_keyed_draw_of_their_start():
    """The first call of all is that with the smallest draw: one by one, as the mesh draws them."""
    window = (await windows({}))[1]
    users = [call for call in window.edge_calls if call.caller == USERS]
    starts = [uniform(3, Stream.SPANS, 1, 2 * index) for index in range(len(users))]
    took = [uniform(3, Stream.SPANS, 1, 2 * index + 1) for index in range(len(users))]
    slowest_ms = window.services[ENTRY].calls.answered_p99_ms
    expected = [
        slowest_ms * (FASTEST_SHARE + (1.0 - FASTEST_SHARE) * took[index])
        for index in sorted(range(len(users)), key=starts.__getitem__)
    ]
    assert [call.latency_ms for call in users] == expected
