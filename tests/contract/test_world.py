"""Both tables of the world, row by row, on the live mesh: each fault, each action, and at rest.

Faults: what is seen, what cures, and every trap. One file, so that one worker plays all of it.
"""

from itertools import pairwise
from statistics import median

import pytest

from chaos.faults.db_connection_leak import DbConnectionLeak
from chaos.faults.flap import Flap
from chaos.faults.flapping_network import FlappingNetwork
from chaos.faults.noop import NoFault
from chaos.faults.single_oom import SingleOom
from sre_autopilot.world.draws import Stream, uniform
from sre_autopilot.world.shapes import OOM_RESTART_CURES
from sre_autopilot.world.topology import ARRIVALS_PER_S, CALL_TIMEOUT_S, CALLS, USERS, Service
from sre_autopilot.world.vocabulary import (
    BREAKER_STEPS,
    MAX_STEPS,
    SCALE_UP_STEPS,
    ActionName,
    FlapCause,
)

GATEWAY, AUTH, PRODUCT = Service.API_GATEWAY, Service.AUTH_SERVICE, Service.PRODUCT_SERVICE
ORDER, USERS_DB, ITEMS_DB = Service.ORDER_SERVICE, Service.USER_DB, Service.INVENTORY_DB
PAYMENT = Service.PAYMENT_GATEWAY

OOM = SingleOom(AUTH, 34.0)
OWN_LEAK = DbConnectionLeak(USERS_DB, USERS_DB, 5.0)
CALLERS_LEAK = DbConnectionLeak(ITEMS_DB, PRODUCT, 5.0)
FLAP = Flap(loss_share=0.8, period_steps=4, burst_steps=2, phase_steps=0)
STARVED = Flap(loss_share=0.6, period_steps=5, burst_steps=3, phase_steps=0)
STALE = FlappingNetwork(FlapCause.STALE_CONNECTION, FLAP)
# Of two replicas the silent one gets half of half a dozen calls: so quiet a fault as STALE would
# show nothing in three bursts, one time in twenty.
LOUD_STALE = FlappingNetwork(
    FlapCause.STALE_CONNECTION,
    Flap(loss_share=1.0, period_steps=4, burst_steps=3, phase_steps=0),
)
ROLLOUT = FlappingNetwork(FlapCause.BAD_ROLLOUT, FLAP)
NEIGHBOUR = FlappingNetwork(FlapCause.NOISY_NEIGHBOUR, STARVED, 2.5)

RESTART, SCALE_UP = ActionName.RESTART, ActionName.SCALE_UP
BREAK, ROLLBACK = ActionName.CIRCUIT_BREAK, ActionName.ROLLBACK


def restart_cures_at(step, cures=True):
    """A seed whose draw decides a restart of AUTH at `step`."""
    index = list(Service).index(AUTH)
    return next(
        seed
        for seed in range(200_000, 200_100)
        if (uniform(seed, Stream.CURE, step, index) < OOM_RESTART_CURES) is cures
    )


def memory_is_a_saw(story):
    memory = story.memory(AUTH)
    died = [step for step, value in enumerate(memory) if value is None]
    assert len(died) >= 2
    assert all(2 <= later - sooner <= 6 for sooner, later in pairwise(died))
    climbing = [b - a for a, b in pairwise(memory) if a and b and b > a]
    assert all(20.0 < climb < 35.0 for climb in climbing)
    assert all(story.errors(AUTH)[step] > 0.5 for step in died[:-1])


def the_holder_grows(story):
    grown, elsewhere = (story.memory(s)[8] - story.memory(s)[0] for s in (PRODUCT, ORDER))
    assert grown > 10.0
    assert elsewhere < 5.0


def the_neighbour_burns_cpu(story):
    by_step = dict(enumerate(story.cpu(PAYMENT)))
    down = [cpu for step, cpu in by_step.items() if step and STARVED.down(step)]
    up = [cpu for step, cpu in by_step.items() if step and not STARVED.down(step)]
    assert max(down) > max(up)


def nothing_else(story):
    """What every fault must show is all."""


SEEN = {
    "single_oom": (OOM, AUTH, memory_is_a_saw),
    "db_connection_leak, its own": (OWN_LEAK, USERS_DB, nothing_else),
    "db_connection_leak, a caller's": (CALLERS_LEAK, ITEMS_DB, the_holder_grows),
    "stale_connection": (STALE, PAYMENT, nothing_else),
    "bad_rollout": (ROLLOUT, PAYMENT, nothing_else),
    "noisy_neighbour": (NEIGHBOUR, PAYMENT, the_neighbour_burns_cpu),
}


@pytest.mark.parametrize("row", SEEN)
def test_left_alone_it_breaks_its_service_and_the_callers_and_never_ends(told, row):
    fault, shown_at, as_told = SEEN[row]

    def is_long_enough(story):
        deaths = story.memory(AUTH).count(None) if fault is OOM else 2
        return max(story.failing(shown_at), default=0) >= 8 and deaths >= 2

    story = told(fault, steps=14, until=is_long_enough)
    assert min(story.failing(shown_at)) <= 10
    assert story.broken(GATEWAY)
    assert max(story.failing(shown_at)) >= 8
    assert not story.recovered() and story.cured_at() is None
    as_told(story)


def test_a_leak_climbs_before_it_breaks(told):
    def climbs(story):
        first_failing, p99_ms = min(story.failing(USERS_DB)), story.p99(USERS_DB)
        assert first_failing >= 6
        return max(p99_ms[first_failing - 3 : first_failing]) > 1.25 * median(p99_ms[:3])

    # Half a dozen calls a window: a busy machine may hide it once, hardly three times.
    assert any(climbs(told(DbConnectionLeak(USERS_DB, USERS_DB, 8.0), steps=9)) for _ in range(3))


def down_at(flap, first=1):
    return next(step for step in range(first, MAX_STEPS) if flap.down(step))


def up_at(flap, first=1):
    return next(step for step in range(first, MAX_STEPS) if not flap.down(step))


CURES = {
    "single_oom, restart": (OOM, {3: (RESTART, AUTH)}, 3),
    "single_oom, rollback": (OOM, {3: (ROLLBACK, AUTH)}, 3),
    "own leak, restart": (OWN_LEAK, {4: (RESTART, USERS_DB)}, 4),
    "own leak, rollback": (OWN_LEAK, {4: (ROLLBACK, USERS_DB)}, 4),
    "caller's leak, restart": (CALLERS_LEAK, {5: (RESTART, PRODUCT)}, 5),
    "caller's leak, rollback": (CALLERS_LEAK, {5: (ROLLBACK, PRODUCT)}, 5),
    "stale_connection, restart while down": (
        STALE, {down_at(FLAP, 3): (RESTART, PAYMENT)}, down_at(FLAP, 3),
    ),
    "stale_connection, drain then restart": (
        STALE, {1: (BREAK, PAYMENT), 3: (RESTART, PAYMENT)}, 3,
    ),
    "stale_connection, rollback": (STALE, {3: (ROLLBACK, PAYMENT)}, 3),
    "bad_rollout, rollback": (ROLLOUT, {3: (ROLLBACK, PAYMENT)}, 3),
    "noisy_neighbour, scale_up": (NEIGHBOUR, {1: (SCALE_UP, PAYMENT)}, 4),
    "noisy_neighbour, rollback": (NEIGHBOUR, {2: (ROLLBACK, PAYMENT)}, 2),
}  # fmt: skip


@pytest.mark.parametrize("row", CURES)
def test_it_is_cured_by(told, row):
    fault, script, cured_at = CURES[row]

    def stays_well():
        story = told(fault, script=script, steps=cured_at + 4, seed=restart_cures_at(3))
        assert story.cured_at() == cured_at
        return all(max(story.failing(service), default=0) <= cured_at + 1 for service in Service)

    # Half a dozen calls a window: a busy machine may lose two of them once, hardly in three plays;
    # a fault that was not cured comes back in every one.
    assert any(stays_well() for _ in range(3))


TRAPS = {
    "single_oom, scale_up": (OOM, AUTH, {1: (SCALE_UP, AUTH)}),
    "single_oom, restarting a caller": (OOM, AUTH, {2: (RESTART, GATEWAY)}),
    "single_oom, circuit_break": (OOM, AUTH, {2: (BREAK, AUTH)}),
    "own leak, restarting a caller": (OWN_LEAK, USERS_DB, {4: (RESTART, AUTH)}),
    "own leak, scale_up": (OWN_LEAK, USERS_DB, {1: (SCALE_UP, USERS_DB)}),
    "own leak, restarting the gateway": (OWN_LEAK, USERS_DB, {4: (RESTART, GATEWAY)}),
    "own leak, circuit_break": (OWN_LEAK, USERS_DB, {4: (BREAK, USERS_DB)}),
    "caller's leak, restarting the database": (CALLERS_LEAK, ITEMS_DB, {5: (RESTART, ITEMS_DB)}),
    "caller's leak, rolling back the database": (CALLERS_LEAK, ITEMS_DB, {5: (ROLLBACK, ITEMS_DB)}),
    "caller's leak, restarting the other caller": (CALLERS_LEAK, ITEMS_DB, {5: (RESTART, ORDER)}),
    "stale_connection, restart while up": (STALE, PAYMENT, {up_at(FLAP, 2): (RESTART, PAYMENT)}),
    "stale_connection, scale_up": (LOUD_STALE, PAYMENT, {1: (SCALE_UP, PAYMENT)}),
    "bad_rollout, restart": (ROLLOUT, PAYMENT, {down_at(FLAP): (RESTART, PAYMENT)}),
    "bad_rollout, scale_up": (ROLLOUT, PAYMENT, {1: (SCALE_UP, PAYMENT)}),
    "bad_rollout, circuit_break": (ROLLOUT, PAYMENT, {2: (BREAK, PAYMENT)}),
    "noisy_neighbour, restart": (NEIGHBOUR, PAYMENT, {2: (RESTART, PAYMENT)}),
    "noisy_neighbour, circuit_break": (NEIGHBOUR, PAYMENT, {2: (BREAK, PAYMENT)}),
}


@pytest.mark.parametrize("row", TRAPS)
def test_it_comes_back_after(told, row):
    fault, shown_at, script = TRAPS[row]
    back_at = max(script) + 4

    def is_back(story):
        return max(story.failing(shown_at), default=0) >= back_at

    story = told(fault, script=script, steps=back_at + 5, until=is_back)
    assert story.cured_at() is None and not story.recovered()
    assert is_back(story)


def test_restarting_the_wrong_side_of_a_leak_helps_for_a_while(told):
    story = told(CALLERS_LEAK, script={7: (RESTART, ITEMS_DB)}, steps=14)
    failing = story.failing(ITEMS_DB)
    assert 6 in failing
    assert {9, 10}.isdisjoint(failing)
    assert max(failing) >= 12


def test_a_second_replica_takes_half_of_a_leak_for_a_while(told):
    story = told(OWN_LEAK, script={3: (SCALE_UP, USERS_DB)}, steps=14)
    errors = story.errors(USERS_DB)
    assert sum(errors[6:8]) < sum(errors[12:14])


def test_a_restart_that_fails_its_eighty_percent_leaves_the_leak(told):
    seed = restart_cures_at(3, cures=False)
    story = told(OOM, script={3: (RESTART, AUTH)}, steps=10, seed=seed)
    assert story.cured_at() is None
    assert None in story.memory(AUTH)[4:]


@pytest.fixture(scope="module")
def story(told):
    return told(NoFault(), steps=8)


def test_the_call_graph_is_seen_whole_and_nothing_else(story):
    seen = {(edge.caller, edge.callee) for step in story.steps() for edge in step.edges}
    graph = {(caller, callee) for caller, callees in CALLS.items() for callee in callees}
    assert seen == graph | {(USERS, Service.API_GATEWAY)}


def test_the_callee_s_span_is_the_child_of_the_caller_s(story):
    edges = [edge for step in story.steps() for edge in step.edges]
    for callee in Service:
        served, calls = (
            sum(getattr(edge, what) for edge in edges if edge.callee == callee)
            for what in ("served", "calls")
        )
        assert served > 0.9 * calls > 0


def test_the_middle_window_loses_no_call_and_keeps_clear_of_the_time_out(story):
    for service in Service:
        assert median(story.p99(service)) < 1000.0 * CALL_TIMEOUT_S
        assert median(story.errors(service)) == 0.0


def test_waiting_does_nothing(story):
    assert all(story.failing(service) == [] for service in Service)


def test_windows_hold_the_traffic_that_was_sent(story):
    at_the_gateway = sum(step.true[Service.API_GATEWAY].calls for step in story.steps())
    browsing = sum(step.true[Service.PRODUCT_SERVICE].calls for step in story.steps())
    lasted_s = sum(step.ended_at - step.began_at for step in story.steps())
    assert 0.5 * lasted_s * ARRIVALS_PER_S < at_the_gateway < 1.5 * lasted_s * ARRIVALS_PER_S
    assert 0.3 < browsing / at_the_gateway < 0.7


SERVICE = Service.PRODUCT_SERVICE
OTHERS = (Service.AUTH_SERVICE, Service.USER_DB, Service.PAYMENT_GATEWAY)


def test_restart_fails_every_call_for_one_step(told):
    story = told(NoFault(), script={2: (ActionName.RESTART, SERVICE)}, steps=5)
    assert story.errors(SERVICE)[2] > 0.6
    assert {2} <= set(story.failing(SERVICE)) <= {2, 3}
    assert all(story.failing(service) == [] for service in OTHERS)


def test_restart_of_the_gateway_is_what_users_see(told):
    story = told(NoFault(), script={2: (ActionName.RESTART, Service.API_GATEWAY)}, steps=4)
    assert story.errors(Service.API_GATEWAY)[2] > 0.6
    assert {2} <= set(story.failing(Service.API_GATEWAY)) <= {2, 3}


def test_circuit_break_counts_as_errors_for_three_steps_and_spares_the_callers(told):
    story = told(NoFault(), script={2: (ActionName.CIRCUIT_BREAK, SERVICE)}, steps=7)
    assert story.failing(SERVICE) == list(range(2, 2 + BREAKER_STEPS))
    assert story.failing(Service.API_GATEWAY) == []
    calls = [step.true[SERVICE].calls for step in story.steps()]
    assert calls[3] == calls[4] == 0
    assert min(calls[1], calls[6]) > 0


def test_scale_up_serves_from_the_third_step_after_without_a_lost_call(told):
    story = told(NoFault(), script={1: (ActionName.SCALE_UP, SERVICE)}, steps=7)
    assert all(story.failing(service) == [] for service in Service)
    serving = [len(step.serving[SERVICE]) for step in story.steps()]
    assert serving == [1] * (1 + SCALE_UP_STEPS) + [2] * 4


def test_rollback_has_no_downtime(told):
    story = told(NoFault(), script={2: (ActionName.ROLLBACK, SERVICE)}, steps=5)
    assert story.failing(SERVICE) == []
    assert len(story.steps()[2].serving[SERVICE]) == 1
    assert story.steps()[2].serving != story.steps()[1].serving
