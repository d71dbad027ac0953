"""Pages that a real client library writes are read back; pages that are not ours are refused."""

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from orchestrator.telemetry.scrape import parse
from orchestrator.telemetry.window import BOUNDS_S, NO_CALLS, histogram_quantile
from sre_autopilot.world.signals import (
    CLIENT_DURATION,
    CPU_SECONDS,
    DURATION_BUCKETS_S,
    LABEL_OUTCOME,
    LABEL_PEER,
    LABEL_ROUTE,
    MEMORY_BYTES,
    RUN_QUEUE_WAIT,
    SERVER_DURATION,
    TRAFFIC_LATENESS,
    Outcome,
)
from sre_autopilot.world.topology import Service

ALL = (CPU_SECONDS, MEMORY_BYTES)


def page(families: tuple[str, ...] = ALL, buckets: tuple[float, ...] = DURATION_BUCKETS_S) -> str:
    registry = CollectorRegistry()
    if CPU_SECONDS in families:
        Counter(CPU_SECONDS, "CPU", registry=registry).inc(2.5)
    if MEMORY_BYTES in families:
        Gauge(MEMORY_BYTES, "memory", registry=registry).set(3e7)
    calls = Histogram(
        CLIENT_DURATION, "out", (LABEL_PEER, LABEL_OUTCOME), buckets=buckets, registry=registry
    )
    for duration_s in (0.004, 0.018, 0.018, 7.0):
        calls.labels(Service.USER_DB, Outcome.OK).observe(duration_s)
    calls.labels(Service.USER_DB, Outcome.TIMEOUT).observe(0.25)
    served = Histogram(SERVER_DURATION, "in", (LABEL_ROUTE,), buckets=buckets, registry=registry)
    served.labels("/users").observe(0.1)
    return generate_latest(registry).decode()


def test_reads_what_a_window_needs() -> None:
    sample = parse(page(), at_s=12.5)
    assert (sample.at_s, sample.cpu_seconds, sample.memory_bytes) == (12.5, 2.5, 3e7)
    assert set(sample.calls) == {
        (Service.USER_DB, Outcome.OK),
        (Service.USER_DB, Outcome.TIMEOUT),
    }
    answered = sample.calls[Service.USER_DB, Outcome.OK]
    counts = dict(zip(BOUNDS_S, answered, strict=True))
    assert (counts[0.0025], counts[0.005], counts[0.02], counts[1.0]) == (0, 1, 3, 3)
    assert answered[-1] == 4


def test_a_recorded_time_out_stays_within_its_bucket() -> None:
    buckets = parse(page(), 0.0).calls[Service.USER_DB, Outcome.TIMEOUT]
    assert histogram_quantile(1.0, buckets) == 0.25


def test_a_page_without_the_histogram_of_calls_has_none() -> None:
    lines = [line for line in page().splitlines() if not line.startswith(CLIENT_DURATION)]
    assert parse("\n".join(lines), 0.0).calls == {}


def test_reads_how_long_a_process_waited_and_how_late_the_users_were() -> None:
    registry = CollectorRegistry()
    Counter(RUN_QUEUE_WAIT, "waited", registry=registry).inc(0.75)
    lateness = Histogram(TRAFFIC_LATENESS, "late", buckets=DURATION_BUCKETS_S, registry=registry)
    lateness.observe(0.004)
    sample = parse(page() + generate_latest(registry).decode(), 0.0)
    assert sample.run_queue_wait_s == 0.75
    assert dict(zip(BOUNDS_S, sample.lateness, strict=True))[0.005] == sample.lateness[-1] == 1


def test_a_page_may_lack_what_only_some_processes_count() -> None:
    sample = parse(page(), 0.0)
    assert sample.run_queue_wait_s is None
    assert sample.lateness == NO_CALLS


@pytest.mark.parametrize("missing", ALL)
def test_a_page_without_a_family_is_refused(missing: str) -> None:
    with pytest.raises(ValueError, match=missing):
        parse(page(tuple(family for family in ALL if family != missing)), 0.0)


@pytest.mark.parametrize(
    "text", ["", "<html>not found</html>", page(buckets=(0.1, 0.123, 1.0)), f"{CPU_SECONDS} much\n"]
)
def test_a_page_of_something_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text, 0.0)
