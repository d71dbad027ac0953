"""The physics of one window, rule by rule, over many lanes at once."""

from functools import partial

import numpy as np
import pytest

from orchestrator.telemetry.window import BOUNDS_S, histogram_quantile
from sre_autopilot.simulator import parameters
from sre_autopilot.simulator.rules.array_ops import Rows
from sre_autopilot.simulator.rules.faults import clear_faults
from sre_autopilot.simulator.rules.traffic import (
    LOWEST_TIMEOUT_MS,
    SLOW_MS,
    SLOWER_MS,
    TIMEOUT_MS,
    quantile,
    run_window,
    users_p99_ms,
)
from sre_autopilot.simulator.rules.window_arrays import (
    AUTH,
    BINS,
    GATEWAY,
    INVENTORY_DB,
    ORDER,
    ORDER_TO_INVENTORY,
    PAYMENT,
    PRODUCT,
    SERVICE_COUNT,
    USER_DB,
    make_window_arrays,
)
from sre_autopilot.world.draws import Stream, folded
from sre_autopilot.world.topology import MAX_REPLICAS, POOL_SIZE

LANES = 400
FITTED = parameters.load("process")
BELOW = {
    GATEWAY: {AUTH, PRODUCT, ORDER, USER_DB, INVENTORY_DB, PAYMENT},
    AUTH: {USER_DB},
    PRODUCT: {INVENTORY_DB},
    ORDER: {INVENTORY_DB, PAYMENT},
    USER_DB: set(),
    INVENTORY_DB: set(),
    PAYMENT: set(),
}


def first(service):
    return service * MAX_REPLICAS


@pytest.fixture
def arrays():
    """Seven healthy services, one replica each, in LANES lanes."""
    arrays = make_window_arrays(FITTED, partial(Rows.zeros, lanes=LANES))
    for service in range(SERVICE_COUNT):
        arrays.condition.in_rotation[first(service)] = 1.0
        arrays.condition.running[first(service)] = 1.0
    clear_faults(arrays.condition)
    return arrays


def keys(stream, step):
    """One a lane, as if its number were its seed."""
    return np.array([folded(lane, stream, step) for lane in range(LANES)], np.uint64)


def play(arrays, steps=(0,)):
    """What was measured in the last of these windows."""
    for step in steps:
        run_window(keys(Stream.SIMULATOR, step), keys(Stream.PROCESS_START, step), arrays)
    return type(arrays.measured)(*(rows[:] for rows in arrays.measured))


def test_a_quantile_is_taken_from_the_table_of_the_service():
    table = np.arange(2.0 * BINS).reshape(2, BINS)
    assert quantile(table, 1, 0.0) == BINS
    assert quantile(table, 1, 0.5) == BINS + BINS // 2
    assert quantile(table, 0, 1.0 - 2.0**-33) == BINS - 1


def test_no_call_fails_at_rest(arrays):
    measured = play(arrays, [0, 1])
    assert not measured.failed.any() and not measured.killed.any()
    assert (measured.calls[GATEWAY] > 0.0).all()
    assert np.nanmedian(measured.p99_ms) < TIMEOUT_MS
    mean = measured.calls[GATEWAY].mean()
    assert mean == pytest.approx(np.sum(FITTED.arrivals), rel=0.05)


def test_calls_at_rest_follow_the_graph(arrays):
    calls = play(arrays).calls
    np.testing.assert_array_equal(calls[GATEWAY], calls[PRODUCT] + calls[AUTH])
    np.testing.assert_array_equal(calls[USER_DB], calls[AUTH])
    np.testing.assert_array_equal(calls[PAYMENT], calls[ORDER])
    np.testing.assert_array_equal(calls[INVENTORY_DB], calls[PRODUCT] + calls[ORDER])


@pytest.mark.parametrize("service", range(SERVICE_COUNT))
def test_a_service_without_a_replica_refuses_every_call(arrays, service):
    arrays.condition.in_rotation[first(service)] = 0.0
    measured = play(arrays)
    np.testing.assert_array_equal(measured.failed[service], measured.calls[service])
    assert np.isnan(measured.p99_ms[service]).all(), "a refused call takes no time"
    for other in range(SERVICE_COUNT):
        assert measured.failed[other].any() == (other == service or service in BELOW[other])


def test_a_service_that_refuses_calls_no_service_below(arrays):
    arrays.condition.in_rotation[first(AUTH)] = 0.0
    calls = play(arrays).calls
    assert not calls[USER_DB].any()
    assert not calls[ORDER].any(), "a checkout needs a sign-in"
    np.testing.assert_array_equal(calls[INVENTORY_DB], calls[PRODUCT])


@pytest.mark.parametrize("service", range(1, SERVICE_COUNT))
def test_an_open_breaker_stops_calls_and_failures(arrays, service):
    arrays.condition.breaker_open[service] = 1.0
    arrays.condition.partitioned[first(service)] = 1.0
    measured = play(arrays, [0, 1])
    assert not measured.calls[service].any()
    assert not measured.failed.any()
    for below in {AUTH: [USER_DB], ORDER: [PAYMENT]}.get(service, []):
        assert not measured.calls[below].any()


HANGS = {USER_DB: [USER_DB], INVENTORY_DB: [INVENTORY_DB, ORDER_TO_INVENTORY], PAYMENT: [PAYMENT]}


@pytest.mark.parametrize("service", HANGS)
def test_a_hanging_call_is_counted_once_in_its_window_or_the_next(arrays, service):
    arrays.condition.partitioned[first(service)] = arrays.carried.hung[service] = 1.0
    sent, counted = np.zeros(LANES), np.zeros(LANES)
    for step in range(4):
        counted += play(arrays, [step]).failed[service]
        sent += arrays.work.sent[service]
    waiting = sum(arrays.carried.hanging[edge] for edge in HANGS[service])
    assert waiting.any()
    np.testing.assert_array_equal(counted + waiting, sent)


def test_calls_that_hang_at_a_callee_hang_at_its_callers(arrays):
    arrays.condition.partitioned[first(USER_DB)] = 1.0
    measured = play(arrays)
    assert (measured.failed[AUTH] == measured.failed[USER_DB]).all()
    assert (measured.failed[GATEWAY] == measured.failed[AUTH]).all()
    assert not measured.failed[PRODUCT].any() and not measured.failed[PAYMENT].any()


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_share_of_the_calls_is_dropped(arrays, share):
    arrays.condition.drop_ratio[first(PAYMENT)] = share
    measured = play(arrays, [0, 1])
    assert measured.failed[PAYMENT].sum() / measured.calls[PAYMENT].sum() == pytest.approx(
        share, abs=0.05
    )


def test_two_replicas_share_what_one_of_them_suffers(arrays):
    for name in ("in_rotation", "running"):
        getattr(arrays.condition, name)[first(PAYMENT) + 1] = 1.0
    arrays.condition.partitioned[first(PAYMENT)] = 1.0
    measured = play(arrays, [0, 1])
    assert measured.failed[PAYMENT].sum() / measured.calls[PAYMENT].sum() == pytest.approx(
        0.5, abs=0.05
    )


def test_held_connections_slow_a_database_and_the_last_one_stops_it(arrays):
    p99_ms = []
    for held in (0, 4, POOL_SIZE - 1, POOL_SIZE):
        arrays.condition.held_connections[first(USER_DB)] = held
        measured = play(arrays)
        p99_ms.append(float(np.nanmedian(measured.p99_ms[USER_DB])))
        assert measured.failed[USER_DB].any() == (held == POOL_SIZE)
    assert p99_ms == sorted(p99_ms)
    assert p99_ms[1] - p99_ms[0] == pytest.approx(4 * FITTED.contention_ms)


def test_the_p99_of_time_outs_is_prometheus_s(arrays):
    """Of a histogram with the fast calls at its bottom and the late ones in a time-out's bucket."""
    arrays.condition.drop_ratio[first(PAYMENT)] = 0.5
    measured = play(arrays)
    for lane in range(LANES):
        late, calls = arrays.work.late[PAYMENT][lane], measured.calls[PAYMENT, lane]
        if late >= 0.01 * calls and late > 0:
            expected_ms = prometheus_ms(calls - late, TIMEOUT_MS, late)
            assert measured.p99_ms[PAYMENT, lane] == pytest.approx(expected_ms)
            assert LOWEST_TIMEOUT_MS <= measured.p99_ms[PAYMENT, lane] <= TIMEOUT_MS


@pytest.mark.parametrize(("timed", "slow"), [(30.0, 1.0), (30.0, 7.0), (90.0, 40.0)])
def test_the_p99_at_the_users_is_prometheus_s(timed, slow):
    expected_ms = prometheus_ms(timed - slow, SLOW_MS, slow)
    assert users_p99_ms(timed, slow, False) == pytest.approx(expected_ms)
    one_outlasts_ms = prometheus_ms(timed - 1.0, SLOWER_MS, 1.0)
    assert users_p99_ms(timed, slow, True) == pytest.approx(one_outlasts_ms)


def prometheus_ms(fast, bound_ms, slow):
    """p99 of `fast` calls in the first bucket and `slow` ones in that which ends at `bound_ms`."""
    counts = tuple(fast + slow * (bound_s >= bound_ms / 1000.0) for bound_s in BOUNDS_S)
    p99_s = histogram_quantile(0.99, counts)
    assert p99_s is not None
    return 1000.0 * p99_s


def test_a_leak_kills_when_memory_is_full(arrays):
    arrays.condition.leaked_mb[first(AUTH)] = 1000.0
    measured = play(arrays)
    assert measured.killed[first(AUTH)].all() and measured.killed.sum() == LANES
    assert np.isnan(measured.memory_pct[AUTH]).all() and np.isnan(measured.cpu_pct[AUTH]).all()
    share = measured.failed[AUTH].sum() / measured.calls[AUTH].sum()
    assert FITTED.died_early <= share <= 1.0


def test_a_neighbour_s_cpu_is_added(arrays):
    before = play(arrays).cpu_pct.copy()
    arrays.condition.neighbour_cpu_pct[first(PAYMENT)] = 10.0
    after = play(arrays).cpu_pct
    np.testing.assert_allclose(after[PAYMENT], np.minimum(100.0, before[PAYMENT] + 10.0))
    np.testing.assert_array_equal(after[ORDER], before[ORDER])


def test_lanes_of_one_key_are_alike_and_others_are_not(arrays):
    same = np.full(LANES, folded(7, Stream.SIMULATOR, 0), np.uint64)
    run_window(same, same, arrays)
    for rows in arrays.measured:
        np.testing.assert_array_equal(rows[:], np.broadcast_to(rows[:, :1], (len(rows), LANES)))
    assert len(set(play(arrays).calls[GATEWAY])) > 1


def test_the_first_calls_of_a_window_meet_the_impairments_of_the_last(arrays):
    arrays.condition.partitioned[first(PAYMENT)] = 1.0
    begins, goes_on = (play(arrays, [step]).failed[PAYMENT].mean() for step in range(2))
    arrays.condition.partitioned[first(PAYMENT)] = 0.0
    ends, after = (play(arrays, [step]).failed[PAYMENT].mean() for step in range(2, 4))
    _browses, _logins, usual = FITTED.arrivals
    lag = FITTED.early + FITTED.deferred
    assert begins == pytest.approx((1.0 - lag) * usual, rel=0.1)
    assert goes_on == pytest.approx(usual, rel=0.1)
    assert ends == pytest.approx(lag * usual, rel=0.1)
    assert after == 0.0


def test_calls_that_hang_are_counted_later_each_by_itself(arrays):
    arrays.condition.partitioned[first(PAYMENT)] = arrays.carried.hung[PAYMENT] = 1.0
    play(arrays)
    hang, later = arrays.work.sent[PAYMENT], arrays.carried.hanging[PAYMENT]
    many = hang == np.median(hang)
    n, share = np.median(hang), FITTED.deferred
    assert later[many].mean() == pytest.approx(n * share, rel=0.1)
    assert later[many].var() == pytest.approx(n * share * (1.0 - share), rel=0.4)


def test_a_killed_process_cuts_off_the_calls_that_hang_at_it(arrays):
    arrays.carried.hanging[PAYMENT] = 3.0
    arrays.condition.in_rotation[first(PAYMENT)] = 0.0
    measured = play(arrays)
    assert (measured.failed[PAYMENT] == measured.calls[PAYMENT]).all()
    assert (measured.calls[PAYMENT] >= 3.0).all()
    assert np.isnan(measured.p99_ms[PAYMENT]).all()
    assert not arrays.carried.hanging[PAYMENT].any()


def test_a_breaker_opens_when_its_window_has_begun(arrays):
    usual = play(arrays).calls[PRODUCT].mean()
    arrays.condition.breaker_open[PRODUCT] = arrays.condition.breaker_new[PRODUCT] = 1.0
    early = play(arrays, [1]).calls[PRODUCT]
    assert early.mean() == pytest.approx(FITTED.early * usual, rel=0.25)
    arrays.condition.breaker_new[PRODUCT] = 0.0
    assert not play(arrays, [2]).calls[PRODUCT].any()


def test_calls_that_hang_before_a_breaker_opens_are_counted_in_that_window(arrays):
    arrays.condition.breaker_open[PAYMENT] = arrays.condition.breaker_new[PAYMENT] = 1.0
    arrays.condition.partitioned[first(PAYMENT)] = arrays.carried.hung[PAYMENT] = 1.0
    assert play(arrays).failed[PAYMENT].any()
    assert not arrays.carried.hanging[PAYMENT].any()


def test_a_killed_process_drops_its_open_calls(arrays):
    arrays.carried.hanging[PAYMENT] = 3.0
    arrays.condition.in_rotation[first(ORDER)] = 0.0
    measured = play(arrays)
    assert not measured.calls[PAYMENT].any()
    assert (measured.failed[ORDER] == measured.calls[ORDER]).all()
    assert (measured.failed[GATEWAY] >= 3.0).all()
    assert np.isnan(measured.p99_ms[ORDER]).all(), "calls that wait for it fail at once"


def test_calls_to_a_service_that_comes_back_are_refused_for_a_while(arrays):
    arrays.condition.in_rotation[first(USER_DB)] = 0.0
    play(arrays, [0])
    arrays.condition.in_rotation[first(USER_DB)] = 1.0
    measured = play(arrays, [1])
    share = measured.failed[USER_DB].sum() / measured.calls[USER_DB].sum()
    assert share == pytest.approx(FITTED.rejoins_late, rel=0.25)
    assert not measured.failed[INVENTORY_DB].any()
    assert not play(arrays, [2]).failed.any()


def test_memory_at_rest_is_drawn_once_a_process(arrays):
    play(arrays, [0])
    arrays.condition.age[:] = 1.0
    drawn = arrays.condition.rest_pct[:].copy()
    play(arrays, [1])
    np.testing.assert_array_equal(arrays.condition.rest_pct[:], drawn)
    arrays.condition.age[first(AUTH)] = 0.0
    play(arrays, [2])
    others = np.arange(len(drawn)) != first(AUTH)
    now = arrays.condition.rest_pct[:]
    assert (now[first(AUTH)] != drawn[first(AUTH)]).any()
    np.testing.assert_array_equal(now[others], drawn[others])
