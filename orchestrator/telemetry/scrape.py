"""Parses a page of metrics into a Sample. Reads only the few metrics that a window needs."""

from prometheus_client.parser import text_string_to_metric_families

from orchestrator.telemetry.window import BOUNDS_S, NO_CALLS, Sample
from sre_autopilot.world.signals import (
    CLIENT_DURATION,
    CPU_SECONDS,
    IMPAIRMENT_DIGEST,
    LABEL_OUTCOME,
    LABEL_PEER,
    MEMORY_BYTES,
    RUN_QUEUE_WAIT,
    TRAFFIC_LATENESS,
    Outcome,
)

_BUCKET = f"{CLIENT_DURATION}_bucket"
_LATENESS_BUCKET = f"{TRAFFIC_LATENESS}_bucket"
_NEEDED = (
    f"{_BUCKET}{{",
    f"{_LATENESS_BUCKET}{{",
    f"{CPU_SECONDS} ",
    f"{MEMORY_BYTES} ",
    f"{RUN_QUEUE_WAIT} ",
    f"{IMPAIRMENT_DIGEST} ",
)
_INDEX = {bound_s: index for index, bound_s in enumerate(BOUNDS_S)}


def parse(page: str, at_s: float) -> Sample:
    """Reads a page in Prometheus' text format that was requested at `at_s` (monotonic clock, s).

    Raises ValueError where a metric is missing, or where bucket bounds are not those of BOUNDS_S.
    """
    # The parser takes about 15 microseconds a line, so other lines are left out.
    needed_lines = "\n".join(line for line in page.splitlines() if line.startswith(_NEEDED))
    values: dict[str, float] = {}
    calls: dict[tuple[str, Outcome], list[float]] = {}
    lateness = list(NO_CALLS)
    try:
        for family in text_string_to_metric_families(needed_lines + "\n"):
            for sample in family.samples:
                if sample.name == _BUCKET:
                    key = sample.labels[LABEL_PEER], Outcome(sample.labels[LABEL_OUTCOME])
                    buckets = calls.setdefault(key, list(NO_CALLS))
                    buckets[_INDEX[float(sample.labels["le"])]] = sample.value
                elif sample.name == _LATENESS_BUCKET:
                    lateness[_INDEX[float(sample.labels["le"])]] = sample.value
                else:
                    values[sample.name] = sample.value
        digest = values.get(IMPAIRMENT_DIGEST)
        return Sample(
            at_s=at_s,
            cpu_seconds=values[CPU_SECONDS],
            memory_bytes=values[MEMORY_BYTES],
            calls={key: tuple(buckets) for key, buckets in calls.items()},
            run_queue_wait_s=values.get(RUN_QUEUE_WAIT),
            impairment_digest=None if digest is None else int(digest),
            lateness=tuple(lateness),
        )
    except KeyError as missing:
        raise ValueError(f"page of metrics without {missing}") from missing
