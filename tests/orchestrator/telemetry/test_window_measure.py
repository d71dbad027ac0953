"""Counters of two scrapes -> one window: quantiles, increases, resets and what is missing."""

from bisect import bisect_left
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.telemetry.window import (
    BOUNDS_S,
    NO_CALLS,
    Buckets,
    Sample,
    Samples,
    calls_to,
    histogram_quantile,
    measure,
)
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.signals import Outcome
from sre_autopilot.world.topology import CALLS, LIMITS, USERS, Service

MB = 1024 * 1024
WINDOW_S = 0.5

durations_s = st.lists(st.floats(0.0001, 2.0), max_size=60)
quantiles = st.floats(0.01, 1.0)


def histogram(durations: list[float]) -> Buckets:
    return tuple(float(sum(d <= bound for d in durations)) for bound in BOUNDS_S)


def sample(
    at_s: float = 10.0,
    cpu_seconds: float = 1.0,
    memory_mb: float = 32.0,
    calls: Mapping[tuple[Service, Outcome], list[float]] | None = None,
) -> Sample:
    counted: dict[tuple[str, Outcome], Buckets] = {
        key: histogram(durations) for key, durations in (calls or {}).items()
    }
    return Sample(at_s, cpu_seconds, memory_mb * MB, counted)


def name(service: Service, index: int = 0) -> str:
    return str(ReplicaId(service, index))


def quantile_by_bisection(q: float, durations: list[float]) -> float:
    """The x at which the share of calls below x is q, were they spread evenly in each bucket."""
    counts = [sum(bisect_left(BOUNDS_S, d) == i for d in durations) for i in range(len(BOUNDS_S))]

    def share_below(x: float) -> float:
        edges = zip((0.0, *BOUNDS_S), BOUNDS_S, counts, strict=False)
        inside = (n * min(1.0, max(0.0, (x - low) / (high - low))) for low, high, n in edges if n)
        return sum(inside) / len(durations)

    low, high = 0.0, BOUNDS_S[-2]
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if share_below(middle) >= q - 1e-12 else (middle, high)
    return high


class TestHistogramQuantile:
    @given(q=quantiles, durations=durations_s.filter(bool))
    def test_agrees_with_a_search_on_the_distribution(
        self, q: float, durations: list[float]
    ) -> None:
        assert histogram_quantile(q, histogram(durations)) == pytest.approx(
            quantile_by_bisection(q, durations), abs=1e-6
        )

    @given(durations=durations_s.filter(bool))
    def test_never_falls_as_q_rises(self, durations: list[float]) -> None:
        quantiles = [histogram_quantile(q / 20, histogram(durations)) or 0.0 for q in range(1, 21)]
        assert quantiles == sorted(quantiles)

    def test_is_none_without_calls(self) -> None:
        assert histogram_quantile(0.99, NO_CALLS) is None

    def test_interpolates_in_the_bucket_of_the_rank(self) -> None:
        assert histogram_quantile(0.5, histogram([0.16] * 4)) == pytest.approx(0.1625)

    def test_stops_at_the_highest_finite_bound(self) -> None:
        assert histogram_quantile(0.99, histogram([5.0])) == BOUNDS_S[-2]

    def test_a_time_out_of_a_quarter_second_reads_above_the_sla(self) -> None:
        p99_s = histogram_quantile(0.99, histogram([0.02] * 10 + [0.25]))
        assert p99_s is not None
        assert 0.2 < p99_s <= 0.25


class TestCalls:
    def test_are_summed_over_callers_and_their_replicas(self) -> None:
        ok = (Service.INVENTORY_DB, Outcome.OK)
        after = {
            name(Service.ORDER_SERVICE): sample(calls={ok: [0.01] * 3}),
            name(Service.PRODUCT_SERVICE): sample(calls={ok: [0.01] * 4}),
            name(Service.PRODUCT_SERVICE, 1): sample(calls={ok: [0.01] * 5}),
        }
        before = {caller: sample(9.5, calls={ok: [0.01]}) for caller in after}
        assert calls_to(Service.INVENTORY_DB, before, after).total == 9
        assert calls_to(Service.USER_DB, before, after).total == 0

    def test_the_users_are_the_gateways_caller(self) -> None:
        after = {USERS: sample(calls={(Service.API_GATEWAY, Outcome.OK): [0.03] * 7})}
        windows = measure({}, after, WINDOW_S)
        assert windows[Service.API_GATEWAY].calls.total == 7
        assert windows[Service.API_GATEWAY].sla_met

    def test_refused_calls_fail_but_take_no_time(self) -> None:
        calls = {
            (Service.USER_DB, Outcome.REFUSED): [0.0001] * 90,
            (Service.USER_DB, Outcome.TIMEOUT): [0.25] * 2,
            (Service.USER_DB, Outcome.ERROR): [0.09],
            (Service.USER_DB, Outcome.OK): [0.012] * 7,
        }
        measured = measure({}, {name(Service.AUTH_SERVICE): sample(calls=calls)}, WINDOW_S)
        of_db = measured[Service.USER_DB].calls
        assert (of_db.total, of_db.failed) == (100, 93)
        assert of_db.p99_ms is not None and of_db.p99_ms > 200.0
        assert of_db.answered_p99_ms is not None and 10.0 < of_db.answered_p99_ms <= 15.0

    def test_only_refused_calls_leave_no_latency(self) -> None:
        calls = {(Service.USER_DB, Outcome.REFUSED): [0.0001] * 5}
        measured = measure({}, {name(Service.AUTH_SERVICE): sample(calls=calls)}, WINDOW_S)
        of_db = measured[Service.USER_DB].calls
        assert (of_db.error_rate, of_db.p99_ms, of_db.answered_p99_ms) == (1.0, None, None)

    @given(
        earlier=st.dictionaries(st.sampled_from(Outcome), durations_s),
        within=st.dictionaries(st.sampled_from(Outcome), durations_s),
        restarted=st.booleans(),
    )
    def test_calls_before_the_window_leave_no_trace(
        self,
        earlier: dict[Outcome, list[float]],
        within: dict[Outcome, list[float]],
        restarted: bool,
    ) -> None:
        def scrape(cpu_seconds: float, calls: dict[Outcome, list[float]]) -> Samples:
            keyed = {(Service.USER_DB, outcome): d for outcome, d in calls.items()}
            return {name(Service.AUTH_SERVICE): sample(10 + cpu_seconds, cpu_seconds, 32.0, keyed)}

        both = {o: earlier.get(o, []) + within.get(o, []) for o in Outcome}
        # A process that was started anew has lost its counters, of its CPU time too.
        after = scrape(0.1, within) if restarted else scrape(3.0, both)
        expected = measure({}, scrape(0.1, within), WINDOW_S)[Service.USER_DB].calls
        measured = measure(scrape(2.0, earlier), after, WINDOW_S)[Service.USER_DB].calls
        assert (measured.total, measured.failed) == (expected.total, expected.failed)
        assert measured.p99_ms == pytest.approx(expected.p99_ms)
        assert measured.answered_p99_ms == pytest.approx(expected.answered_p99_ms)

    def test_a_restart_that_shows_in_the_calls_alone_counts_from_zero(self) -> None:
        key = (Service.USER_DB, Outcome.OK)
        before = {name(Service.AUTH_SERVICE): sample(10.0, 0.1, calls={key: [0.01] * 9})}
        after = {name(Service.AUTH_SERVICE): sample(10.5, 0.2, calls={key: [0.01] * 2})}
        assert measure(before, after, WINDOW_S)[Service.USER_DB].calls.total == 2


class TestUse:
    def test_cpu_is_a_share_of_the_limit_over_the_time_between_the_scrapes(self) -> None:
        service = Service.PAYMENT_GATEWAY
        before = {name(service): sample(at_s=10.0, cpu_seconds=1.0)}
        after = {name(service): sample(at_s=10.6, cpu_seconds=1.06)}
        expected = 100 * 0.1 / LIMITS[service].cpu_limit_cores
        assert measure(before, after, WINDOW_S)[service].cpu_pct == pytest.approx(expected)

    def test_memory_is_a_share_of_the_limit(self) -> None:
        service = Service.USER_DB
        after = {name(service): sample(memory_mb=LIMITS[service].memory_limit_mb / 4)}
        assert measure({}, after, WINDOW_S)[service].memory_pct == pytest.approx(25.0)

    def test_a_process_that_began_in_the_window_is_measured_over_all_of_it(self) -> None:
        service = Service.API_GATEWAY
        after = {name(service): sample(cpu_seconds=0.25)}
        assert measure({}, after, WINDOW_S)[service].cpu_pct == pytest.approx(50.0)

    def test_the_worst_replica_counts(self) -> None:
        service = Service.USER_DB
        before = {name(service, i): sample(10.0, 1.0) for i in (0, 1)}
        after = {
            name(service, 0): sample(10.5, 1.2, memory_mb=12.8),
            name(service, 1): sample(10.5, 1.1, memory_mb=64.0),
        }
        measured = measure(before, after, WINDOW_S)[service]
        assert measured.cpu_pct == pytest.approx(80.0)
        assert measured.memory_pct == pytest.approx(50.0)

    @given(dead=st.sets(st.sampled_from(Service)))
    def test_a_service_whose_replicas_are_silent_has_no_usage(self, dead: set[Service]) -> None:
        before = {name(service): sample(10.0) for service in Service}
        after = {name(service): sample(10.5) for service in Service if service not in dead}
        for service, measured in measure(before, after, WINDOW_S).items():
            assert (measured.cpu_pct is None) == (measured.memory_pct is None) == (service in dead)

    def test_every_service_has_a_window(self) -> None:
        windows = measure({}, {}, WINDOW_S)
        assert set(windows) == set(CALLS)
        assert all(window.calls.total == 0 and window.sla_met for window in windows.values())
