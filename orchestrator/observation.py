"""Windows of truth plus noise -> what the agent sees. Pure; knows neither tier nor fault."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from orchestrator import noise
from orchestrator.telemetry.window import EdgeCall, ServiceWindow, Window
from sre_autopilot.grading import TracedCall, TrueEdge
from sre_autopilot.models import ServiceMetrics, TraceEdge
from sre_autopilot.world.sla import ERROR_RATE_LIMIT, P99_LIMIT_MS
from sre_autopilot.world.topology import Service

_INDEX = {service: index for index, service in enumerate(Service)}
_NOISES = (
    noise.noisy_latency_ms,
    noise.noisy_error_rate,
    noise.noisy_cpu_pct,
    noise.noisy_memory_pct,
)


def noisy_metrics(windows: Sequence[Window], seed: int) -> dict[Service, ServiceMetrics]:
    """Metrics of every service as they arrive after the newest of `windows` (steps 0, 1, ...)."""
    step = windows[-1].step
    return {
        service: _noisy(
            _late(windows, service, seed).services[service],
            noise.NoiseKey(seed, step, _INDEX[service]),
        )
        for service in Service
    }


def sla_status(
    metrics: Mapping[Service, ServiceMetrics], last: Mapping[Service, bool]
) -> dict[Service, bool]:
    """Verdicts from noisy values; where a missing value leaves it open, the last one stands."""
    return {
        service: _verdict(observed, last.get(service, True))
        for service, observed in metrics.items()
    }


def trace_edges(windows: Sequence[Window], seed: int) -> list[TraceEdge]:
    """Calls seen in the spans that arrived, edge by edge; a caller's spans are as late as it is."""
    step = windows[-1].step
    arrived = [
        call
        for caller in Service
        for index, call in enumerate(_late(windows, caller, seed).edge_calls)
        if call.caller == caller and not noise.span_lost(seed, step, index)
    ]
    return [
        TraceEdge(
            caller=Service(edge.caller),
            callee=Service(edge.callee),
            calls=edge.calls,
            error_rate=round(edge.failed / edge.calls, 4),
            latency_p99=round(edge.latency_p99, 1),
        )
        for edge in _edges(arrived)
    ]


def true_edges(window: Window) -> list[TrueEdge]:
    """All calls of the window, edge by edge, the users' among them."""
    return _edges(window.edge_calls)


def worst_traces(window: Window) -> dict[str, tuple[TracedCall, ...]]:
    """The traces that true edges name, by id, each with its calls that ended in the window, in the
    order of their starts. None at all where calls are not timed one by one, as in the simulator.
    """
    if not window.edge_calls or window.edge_calls[0].started_at is None:
        return {}
    named = {edge.trace_id for edge in true_edges(window)}
    by_trace: dict[str, list[EdgeCall]] = defaultdict(list)
    for call in window.edge_calls:
        if call.trace_id in named:
            by_trace[call.trace_id].append(call)
    return {trace_id: _traced(calls) for trace_id, calls in by_trace.items()}


def dependency_graph(edges: Sequence[TraceEdge]) -> dict[Service, list[Service]]:
    """Adjacency list of the edges seen; a service without outgoing calls has an empty list."""
    graph: dict[Service, list[Service]] = {service: [] for service in Service}
    for edge in edges:
        graph[edge.caller].append(edge.callee)
    return graph


def _late(windows: Sequence[Window], service: Service, seed: int) -> Window:
    return windows[max(0, len(windows) - 1 - noise.lag_steps(seed, _INDEX[service]))]


def _noisy(truth: ServiceWindow, at: noise.NoiseKey) -> ServiceMetrics:
    values = (truth.calls.p99_ms, truth.error_rate, truth.cpu_pct, truth.memory_pct)
    latency, errors, cpu, memory = (
        None if value is None or noise.metric_lost(at, index) else noisy(value, at)
        for index, (value, noisy) in enumerate(zip(values, _NOISES, strict=True))
    )
    return ServiceMetrics(latency_p99=latency, error_rate=errors, cpu_pct=cpu, memory_pct=memory)


def _verdict(metrics: ServiceMetrics, last: bool) -> bool:
    if metrics.error_rate is not None and metrics.error_rate > ERROR_RATE_LIMIT:
        return False
    if metrics.latency_p99 is not None and metrics.latency_p99 > P99_LIMIT_MS:
        return False
    return last if metrics.error_rate is None or metrics.latency_p99 is None else True


def _edges(calls: Iterable[EdgeCall]) -> list[TrueEdge]:
    """Edges in the order of their first call; p99 by nearest rank."""
    by_edge: dict[tuple[str, str], list[EdgeCall]] = defaultdict(list)
    for call in calls:
        by_edge[call.caller, call.callee].append(call)
    return [
        TrueEdge(
            caller=caller,
            callee=callee,
            calls=len(of_edge),
            failed=sum(call.failed for call in of_edge),
            served=sum(call.served_span for call in of_edge),
            latency_p99=sorted(call.latency_ms for call in of_edge)[
                math.ceil(0.99 * len(of_edge)) - 1
            ],
            trace_id=max(of_edge, key=lambda call: (call.failed, call.latency_ms)).trace_id,
        )
        for (caller, callee), of_edge in by_edge.items()
    ]


def _traced(calls: Sequence[EdgeCall]) -> tuple[TracedCall, ...]:
    """`calls` of one trace, ordered by their starts."""
    began_at = calls[0].started_at or 0.0
    return tuple(
        TracedCall(
            caller=call.caller,
            callee=call.callee,
            start_ms=round(1000.0 * ((call.started_at or began_at) - began_at), 2),
            latency_ms=round(call.latency_ms, 2),
            failed=call.failed,
        )
        for call in calls
    )
