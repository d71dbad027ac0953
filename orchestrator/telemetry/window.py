"""A window as measured, before noise: calls to each service as callers count them, and spans."""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sre_autopilot.grading import HostFigures
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.signals import DURATION_BUCKETS_S, Outcome
from sre_autopilot.world.sla import Calls, is_met
from sre_autopilot.world.topology import LIMITS, MAX_REPLICAS, Service


@dataclass(frozen=True, slots=True)
class ServiceWindow:
    """One service in one window. `cpu_pct` and `memory_pct` are of its limits, of the replica
    that is worst; None where no process lived to be scraped. While its breaker is open no service
    calls it, and every call to it counts as failed.
    """

    calls: Calls
    cpu_pct: float | None
    memory_pct: float | None
    breaker_open: bool = False

    @property
    def error_rate(self) -> float | None:
        return 1.0 if self.breaker_open else self.calls.error_rate

    @property
    def sla_met(self) -> bool:
        return not self.breaker_open and is_met(self.calls)


@dataclass(frozen=True, slots=True)
class EdgeCall:
    """One call from a client span: who called whom, how long it took, and whether it failed.

    `served_span` is whether the callee's own server span arrived as its child.
    `started_at` is in unix seconds; None where calls are not timed one by one.
    """

    caller: str
    callee: str
    latency_ms: float
    failed: bool
    trace_id: str
    served_span: bool
    started_at: float | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """One window, with its ends in unix seconds: `edge_calls` are ordered by time of start.

    host: how much the host stood in its way; None where nothing was measured of that.
    lapsed: names of the processes whose impairments are not those that were ordered.
    """

    step: int
    services: Mapping[Service, ServiceWindow]
    edge_calls: tuple[EdgeCall, ...]
    began_at: float | None = None
    ended_at: float | None = None
    host: HostFigures | None = None
    lapsed: tuple[str, ...] = ()


BOUNDS_S = (*DURATION_BUCKETS_S, math.inf)
"""Upper bounds of the buckets of every histogram of durations."""

Buckets = tuple[float, ...]
"""How many calls took at most as long as each of BOUNDS_S says (cumulative)."""

NO_CALLS: Buckets = (0.0,) * len(BOUNDS_S)
_BYTES_PER_MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """Counters and memory of one process at one moment; counters start at 0 with the process.

    at_s: that moment, on a monotonic clock.
    calls: outgoing ones, by service called and outcome.
    run_queue_wait_s: time that its threads had no CPU; None where the kernel does not count it.
    impairment_digest: what it says that it was ordered; None where it does not say.
    lateness: of the users alone, how late they sent their requests.
    """

    at_s: float
    cpu_seconds: float
    memory_bytes: float
    calls: Mapping[tuple[str, Outcome], Buckets]
    run_queue_wait_s: float | None = None
    impairment_digest: int | None = None
    lateness: Buckets = NO_CALLS


Samples = Mapping[str, Sample]
"""One scrape: by name of the process. One that did not answer is missing."""


def measure(
    before: Samples, after: Samples, window_s: float, open_breakers: Collection[Service] = ()
) -> dict[Service, ServiceWindow]:
    """The window of each service between two scrapes that are `window_s` apart."""
    since = {name: _baseline(before.get(name), now, window_s) for name, now in after.items()}
    return {
        service: ServiceWindow(
            calls=calls_to(service, since, after),
            cpu_pct=max((_cpu_pct(service, since[r], after[r]) for r in replicas), default=None),
            memory_pct=max((_memory_pct(service, after[r]) for r in replicas), default=None),
            breaker_open=service in open_breakers,
        )
        for service in Service
        for replicas in [_replicas_of(service, after)]
    }


def calls_to(service: Service, since: Samples, after: Samples) -> Calls:
    """Calls to `service` between two scrapes of the same processes, summed over its callers."""
    outcomes = {outcome: _increase((service, outcome), since, after) for outcome in Outcome}
    total = sum(buckets[-1] for buckets in outcomes.values())
    timed = _added(buckets for outcome, buckets in outcomes.items() if outcome != Outcome.REFUSED)
    return Calls(
        total=round(total),
        failed=round(total - outcomes[Outcome.OK][-1]),
        p99_ms=_p99_ms(timed),
        answered_p99_ms=_p99_ms(outcomes[Outcome.OK]),
    )


def histogram_quantile(q: float, buckets: Buckets) -> float | None:
    """The q-quantile of a cumulative histogram, s; None where it is empty.

    As `histogram_quantile` of Prometheus (documentation, "Query functions"): linear interpolation
    within the bucket that holds rank q * total, from 0 in the first one; the highest finite bound
    where the rank lies beyond it.
    """
    rank = q * buckets[-1]
    if not buckets[-1]:
        return None
    i = next(i for i, count in enumerate(buckets) if count >= rank and count > 0)
    if math.isinf(BOUNDS_S[i]):
        return BOUNDS_S[i - 1]
    low_s, below = (BOUNDS_S[i - 1], buckets[i - 1]) if i else (0.0, 0.0)
    return low_s + (BOUNDS_S[i] - low_s) * (rank - below) / (buckets[i] - below)


def _baseline(before: Sample | None, after: Sample, window_s: float) -> Sample:
    """The sample to subtract: zeros for a new process, whose counters are lower than before."""
    if before is None or after.cpu_seconds < before.cpu_seconds or _fell(before, after):
        return Sample(after.at_s - window_s, 0.0, 0.0, {})
    return before


def _fell(before: Sample, after: Sample) -> bool:
    return any(after.calls.get(k, NO_CALLS)[-1] < calls[-1] for k, calls in before.calls.items())


def _increase(key: tuple[str, Outcome], since: Samples, after: Samples) -> Buckets:
    now = _added(sample.calls.get(key, NO_CALLS) for sample in after.values())
    then = _added(since[name].calls.get(key, NO_CALLS) for name in after)
    return tuple(n - t for n, t in zip(now, then, strict=True))


def _added(many: Iterable[Buckets]) -> Buckets:
    return tuple(map(sum, zip(NO_CALLS, *many, strict=True)))


def _p99_ms(buckets: Buckets) -> float | None:
    quantile_s = histogram_quantile(0.99, buckets)
    return None if quantile_s is None else quantile_s * 1000.0


def _replicas_of(service: Service, samples: Samples) -> list[str]:
    names = [str(ReplicaId(service, index)) for index in range(MAX_REPLICAS)]
    return [name for name in names if name in samples]


def _cpu_pct(service: Service, since: Sample, now: Sample) -> float:
    cores = (now.cpu_seconds - since.cpu_seconds) / (now.at_s - since.at_s)
    return 100.0 * cores / LIMITS[service].cpu_limit_cores


def _memory_pct(service: Service, now: Sample) -> float:
    return 100.0 * now.memory_bytes / (LIMITS[service].memory_limit_mb * _BYTES_PER_MB)
