"""What the agent sees: late, noisy, partly lost, and nothing more than that."""

import statistics

from orchestrator import noise, observation
from orchestrator.telemetry.window import EdgeCall, ServiceWindow, Window
from sre_autopilot.models import ServiceMetrics
from sre_autopilot.world.sla import Calls
from sre_autopilot.world.topology import USERS, Service

SERVICES = tuple(Service)
SEEDS = range(2000)


def window(step, p99=100.0, failed=0, total=20):
    calls = Calls(total, failed, p99, p99)
    edge = EdgeCall(Service.API_GATEWAY, Service.AUTH_SERVICE, 10.0 * (step + 1), False, "t", True)
    return Window(step, {s: ServiceWindow(calls, 30.0, 40.0) for s in SERVICES}, (edge,) * total)


def seed_with_lag(lag, service=Service.API_GATEWAY):
    index = SERVICES.index(service)
    return next(seed for seed in SEEDS if noise.lag_steps(seed, index) == lag)


def test_lags_are_shared_out_as_specified():
    lags = [noise.lag_steps(seed, index) for seed in SEEDS for index in range(7)]
    shares = [lags.count(lag) / len(lags) for lag in (0, 1, 2)]
    assert all(abs(a - b) < 0.02 for a, b in zip(shares, (0.5, 0.3, 0.2), strict=True))


def test_a_late_service_shows_an_older_window():
    windows = [window(step, p99=100.0 * 10**step) for step in range(4)]
    for lag in (0, 1, 2):
        metrics = observation.noisy_metrics(windows, seed_with_lag(lag))
        p99_ms = metrics[Service.API_GATEWAY].latency_p99
        assert p99_ms is None or 0.5 < p99_ms / (100.0 * 10 ** (3 - lag)) < 1.5


def test_the_first_window_is_all_there_is_at_first():
    metrics = observation.noisy_metrics([window(0)], seed_with_lag(2))
    p99_ms = metrics[Service.API_GATEWAY].latency_p99
    assert p99_ms is None or 50.0 < p99_ms < 150.0


def test_noise_has_the_moments_of_the_specification():
    latency = [noise.noisy_latency_ms(100.0, noise.NoiseKey(seed, 3, 2)) for seed in SEEDS]
    errors = [noise.noisy_error_rate(0.5, noise.NoiseKey(seed, 3, 2)) for seed in SEEDS]
    assert abs(statistics.mean(latency) - 100.0) < 1.0
    assert abs(statistics.stdev(latency) - 8.0) < 0.8
    assert abs(statistics.mean(errors) - 0.5) < 0.001
    assert abs(statistics.stdev(errors) - 0.005) < 0.001


def test_values_are_clipped_and_rounded():
    for seed in SEEDS:
        assert 0.0 <= noise.noisy_error_rate(0.0, noise.NoiseKey(seed, 1, 1)) <= 0.05
        assert noise.noisy_error_rate(1.0, noise.NoiseKey(seed, 1, 1)) <= 1.0
        latency = noise.noisy_latency_ms(123.456, noise.NoiseKey(seed, 1, 1))
        assert latency == round(latency, 1)


def test_five_percent_of_the_values_are_lost():
    lost = [
        noise.metric_lost(noise.NoiseKey(seed, 5, 3), metric)
        for seed in SEEDS
        for metric in range(4)
    ]
    assert abs(sum(lost) / len(lost) - 0.05) < 0.01


def test_ten_percent_of_the_spans_are_lost():
    counts = []
    for seed in SEEDS:
        edges = observation.trace_edges([window(0)], seed)
        counts.append(sum(edge.calls for edge in edges) / 20)
    assert abs(statistics.mean(counts) - 0.9) < 0.01


def test_edges_are_as_late_as_their_caller():
    windows = [window(step) for step in range(4)]
    for lag in (0, 1, 2):
        (edge,) = observation.trace_edges(windows, seed_with_lag(lag))
        assert edge.latency_p99 == 10.0 * (4 - lag)


def test_a_true_edge_names_the_trace_of_its_worst_call():
    rows = [(50.0, False, "slow"), (20.0, True, "failed"), (30.0, True, "worst"), (9.0, False, "x")]
    for count, worst in ((1, "slow"), (2, "failed"), (4, "worst")):
        calls = (
            EdgeCall(Service.API_GATEWAY, Service.AUTH_SERVICE, ms, failed, trace, True)
            for ms, failed, trace in rows[:count]
        )
        measured = Window(0, window(0).services, tuple(calls))
        (edge,) = observation.true_edges(measured)
        assert (edge.calls, edge.trace_id) == (count, worst)


def traced(start, edge, ms, trace="t", *, failed=False):
    return EdgeCall(edge[0], edge[1], ms, failed, trace, True, started_at=1e9 + start)


def test_a_record_keeps_all_calls_of_the_trace_of_an_edges_worst_call():
    gateway, auth = Service.API_GATEWAY, Service.AUTH_SERVICE
    calls = (
        traced(0.0, (USERS, gateway), 90.0, "slow"),
        traced(0.25, (gateway, auth), 60.004, "slow", failed=True),
        traced(0.5, (USERS, gateway), 10.0, "quick"),
    )
    traces = observation.worst_traces(Window(0, window(0).services, calls))
    assert traces.keys() == {"slow"}
    root, child = traces["slow"]
    assert (root.caller, root.callee, root.start_ms, root.failed) == (USERS, gateway, 0.0, False)
    assert (child.start_ms, child.latency_ms, child.failed) == (250.0, 60.0, True)


def test_calls_that_are_not_timed_one_by_one_have_no_traces():
    assert observation.worst_traces(window(0)) == {}
    assert observation.worst_traces(Window(0, window(0).services, ())) == {}


def test_the_graph_lists_every_service_and_the_edges_seen():
    edges = observation.trace_edges([window(0)], 1)
    graph = observation.dependency_graph(edges)
    assert set(graph) == set(Service)
    assert graph[Service.API_GATEWAY] == [Service.AUTH_SERVICE]


def metrics(latency, errors):
    return {
        Service.USER_DB: ServiceMetrics(
            latency_p99=latency, error_rate=errors, cpu_pct=None, memory_pct=None
        )
    }


def verdict(latency, errors, last):
    return observation.sla_status(metrics(latency, errors), {Service.USER_DB: last})[
        Service.USER_DB
    ]


def test_a_verdict_needs_no_more_than_one_bad_value():
    assert verdict(300.0, None, True) is False
    assert verdict(None, 0.5, True) is False
    assert verdict(300.0, 0.0, True) is False


def test_the_last_verdict_stands_where_a_missing_value_leaves_it_open():
    for last in (True, False):
        assert verdict(None, 0.0, last) is last
        assert verdict(100.0, None, last) is last
        assert verdict(None, None, last) is last
    assert verdict(100.0, 0.0, False) is True


def test_no_calls_are_nulls():
    empty = Calls(0, 0, None, None)
    silent = Window(0, {s: ServiceWindow(empty, None, None) for s in SERVICES}, ())
    for metrics in observation.noisy_metrics([silent], 3).values():
        assert metrics.latency_p99 is None and metrics.error_rate is None
