"""Windows of truth plus noise -> what the agent sees. Pure; knows neither tier nor fault."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from models import ServiceMetrics, TraceEdge
from orchestrator import noise
from orchestrator.telemetry.window import EdgeCall, ServiceWindow, Window
from services.mesh.draws import Stream
from services.mesh.sla import ERROR_RATE_LIMIT, P99_LIMIT_MS
from services.mesh.topology import USERS, Service

_INDEX = {service: index for index, service in enumerate(Service)}


def noisy_metrics(windows: Sequence[Window], seed: int) -> dict[Service, ServiceMetrics]:
    """Metrics of every service as they arrive after the newest of `windows` (steps 0, 1, ...)."""
    step = windows[-1].step
    return {
        service: _noisy(_late(windows, service, seed).services[service], seed, step, service)
        for service in Service
    }


def sla_status(
    metrics: Mapping[Service, ServiceMetrics], last: Mapping[Service, bool]
) -> dict[Service, bool]:
    """Verdicts from noisy values; where a missing value leaves it open, the last one stands."""
    return {service: _verdict(seen, last.get(service, True)) for service, seen in metrics.items()}


def trace_edges(windows: Sequence[Window], seed: int) -> list[TraceEdge]:
    """Calls seen in the spans that arrived, edge by edge; a caller's spans are as late as it is."""
    step = windows[-1].step
    calls: dict[tuple[str, str], list[EdgeCall]] = defaultdict(list)
    for caller in Service:
        for index, call in enumerate(_late(windows, caller, seed).edge_calls):
            if call.caller == caller and not noise.span_lost(seed, step, index):
                calls[call.caller, call.callee].append(call)
    return [_edge(Service(a), Service(b), seen) for (a, b), seen in calls.items() if a != USERS]


def dependency_graph(edges: Sequence[TraceEdge]) -> dict[Service, list[Service]]:
    """Adjacency list of the edges seen; a service without outgoing calls has an empty list."""
    graph: dict[Service, list[Service]] = {service: [] for service in Service}
    for edge in edges:
        graph[edge.caller].append(edge.callee)
    return graph


def _late(windows: Sequence[Window], service: Service, seed: int) -> Window:
    return windows[max(0, len(windows) - 1 - noise.lag_steps(seed, _INDEX[service]))]


def _noisy(truth: ServiceWindow, seed: int, step: int, service: Service) -> ServiceMetrics:
    index = _INDEX[service]
    latency, errors = truth.calls.p99_ms, truth.error_rate
    cpu, memory = truth.cpu_pct, truth.memory_pct
    lost = [noise.metric_lost(seed, step, index, m) for m in range(noise.METRICS_PER_SERVICE)]
    return ServiceMetrics(
        latency_p99=None
        if latency is None or lost[0]
        else noise.noisy_latency_ms(latency, seed, step, index),
        error_rate=None
        if errors is None or lost[1]
        else noise.noisy_error_rate(errors, seed, step, index),
        cpu_pct=None
        if cpu is None or lost[2]
        else noise.noisy_percent(cpu, Stream.CPU_NOISE, seed, step, index),
        memory_pct=None
        if memory is None or lost[3]
        else noise.noisy_percent(memory, Stream.MEMORY_NOISE, seed, step, index),
    )


def _verdict(seen: ServiceMetrics, last: bool) -> bool:
    if seen.error_rate is not None and seen.error_rate > ERROR_RATE_LIMIT:
        return False
    if seen.latency_p99 is not None and seen.latency_p99 > P99_LIMIT_MS:
        return False
    return last if seen.error_rate is None or seen.latency_p99 is None else True


def _edge(caller: Service, callee: Service, calls: Sequence[EdgeCall]) -> TraceEdge:
    latencies = sorted(call.latency_ms for call in calls)
    nearest_rank = latencies[math.ceil(0.99 * len(latencies)) - 1]
    failed = sum(call.failed for call in calls)
    return TraceEdge(
        caller=caller,
        callee=callee,
        calls=len(calls),
        error_rate=round(failed / len(calls), 4),
        latency_p99=round(nearest_rank, 1),
    )
