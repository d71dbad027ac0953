"""Metrics of one process: one registry, few series, names from `signals`."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.runtime.memory import ProportionalMemory
from services.runtime.run_queue import RunQueueWait
from sre_autopilot.world.signals import (
    CLIENT_DURATION,
    CPU_SECONDS,
    DURATION_BUCKETS_S,
    FALLBACKS,
    LABEL_OUTCOME,
    LABEL_PEER,
    LABEL_ROUTE,
    LABEL_STATUS,
    MEMORY_BYTES,
    RUN_QUEUE_WAIT,
    SERVER_DURATION,
    SHED_REQUESTS,
)


class Metrics:
    """The metrics of incoming and outgoing calls, and their page.

    registry: all of them. windowed: those that a window is computed from, which are few.
    quota: see RunQueueWait.
    """

    def __init__(self, runtime_memory_mb: int = 0, quota: Path | None = None) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self.windowed = CollectorRegistry(auto_describe=False)
        process = ProcessCollector(runtime_memory_mb, quota)
        self.registry.register(process)
        self.windowed.register(process)
        self.served = self.histogram(
            SERVER_DURATION, "Calls answered here", (LABEL_ROUTE, LABEL_STATUS)
        )
        self.called = self.histogram(
            CLIENT_DURATION, "Calls made, as their caller saw them", (LABEL_PEER, LABEL_OUTCOME)
        )
        self.windowed.register(self.called)
        self.shed = Counter(
            SHED_REQUESTS, "Calls refused with 503 at the in-flight limit", registry=self.registry
        )
        self.fallbacks = Counter(
            FALLBACKS, "Calls answered from a fallback", (LABEL_PEER,), registry=self.registry
        )

    def histogram(self, name: str, text: str, labels: tuple[str, ...] = ()) -> Histogram:
        return Histogram(name, text, labels, buckets=DURATION_BUCKETS_S, registry=self.registry)

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """A gauge of a window, whose value is read when asked."""
        gauge = Gauge(name, text, registry=self.registry)
        gauge.set_function(read)
        self.windowed.register(gauge)

    def page(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)

    def window_page(self) -> bytes:
        """What a window is computed from, in the same format."""
        return generate_latest(self.windowed)


class ProcessCollector(Collector):
    """CPU time of this process, the time that it waited for a CPU, where the kernel counts that,
    and its memory without the runtime's: read when scraped.
    """

    def __init__(self, runtime_memory_mb: int, quota: Path | None = None) -> None:
        self._runtime_bytes = runtime_memory_mb * 1024 * 1024
        self._run_queue = RunQueueWait(quota=quota)
        self._memory = ProportionalMemory()

    def collect(self) -> Iterator[Metric]:
        yield CounterMetricFamily(CPU_SECONDS, "CPU time used", value=time.process_time())
        waited_s = self._run_queue.seconds()
        if waited_s is not None:
            yield CounterMetricFamily(
                RUN_QUEUE_WAIT, "Time that threads were ready to run and had no CPU", value=waited_s
            )
        yield GaugeMetricFamily(
            MEMORY_BYTES,
            "Memory of its own: shared pages counted by share (PSS), without the runtime's",
            value=max(0, self._memory.bytes() - self._runtime_bytes),
        )
