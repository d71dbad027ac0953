"""Parses a page of metrics into a Sample. Reads only the few metrics that a window needs."""

import re

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
    _BUCKET,
    _LATENESS_BUCKET,
    CPU_SECONDS,
    MEMORY_BYTES,
    RUN_QUEUE_WAIT,
    IMPAIRMENT_DIGEST,
)
# The client library's parser takes fifteen times as long, and no label here needs an escape.
_LINE = re.compile(rf"^({'|'.join(_NEEDED)})(?:\{{(.*)\}})? (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_INDEX = {bound_s: index for index, bound_s in enumerate(BOUNDS_S)}


def parse(page: str, at_s: float) -> Sample:
    """Reads a page in Prometheus' text format that was requested at `at_s` (monotonic clock, s).

    Raises ValueError where a metric is missing, or where bucket bounds are not those of BOUNDS_S.
    """
    values: dict[str, float] = {}
    calls: dict[tuple[str, Outcome], list[float]] = {}
    lateness = list(NO_CALLS)
    try:
        for name, text, value in _LINE.findall(page):
            labels = dict(_LABEL.findall(text))
            if name == _BUCKET:
                key = labels[LABEL_PEER], Outcome(labels[LABEL_OUTCOME])
                buckets = calls.setdefault(key, list(NO_CALLS))
                buckets[_INDEX[float(labels["le"])]] = float(value)
            elif name == _LATENESS_BUCKET:
                lateness[_INDEX[float(labels["le"])]] = float(value)
            else:
                values[name] = float(value)
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
