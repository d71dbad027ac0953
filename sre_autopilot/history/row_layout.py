"""Where each part of an observation stands in its row of numbers. Computes nothing."""

from sre_autopilot.models import ServiceMetrics
from sre_autopilot.world.topology import CALLS, Service
from sre_autopilot.world.vocabulary import ActionName

MISSING = -1.0
"""In place of a value that did not arrive; no real one is negative."""
SERVICE_COUNT, ACTION_COUNT = len(Service), len(ActionName)
METRICS = tuple(ServiceMetrics.model_fields)
METRIC_COUNT = len(METRICS) * SERVICE_COUNT
METRIC_COLUMNS = {
    name: slice(place * SERVICE_COUNT, (place + 1) * SERVICE_COUNT)
    for place, name in enumerate(METRICS)
}
"""Of each metric, the columns that have it: one a service."""
# Columns of a row: METRIC_COUNT metrics (by metric, then service), a verdict a service, six single
# numbers. The last action and its service are their places in `ActionName` and `Service`.
VERDICT_FEATURES = METRIC_COUNT
(
    STEP_FEATURE,
    RESTARTS_LEFT_FEATURE,
    COST_FEATURE,
    ACTION_FEATURE,
    SERVICE_FEATURE,
    REFUSED_FEATURE,
) = range(VERDICT_FEATURES + SERVICE_COUNT, VERDICT_FEATURES + SERVICE_COUNT + 6)
FEATURE_COUNT = REFUSED_FEATURE + 1
MASK_SIZE = ACTION_COUNT * SERVICE_COUNT
"""Flags of a joint mask, by action, then service."""
SPAN_EDGES = tuple((caller, callee) for caller in CALLS for callee in CALLS[caller])
SPAN_FIELDS = ("calls", "error_rate", "latency_p99")
SPAN_COUNT = len(SPAN_FIELDS) * len(SPAN_EDGES)
"""Columns that follow on request: of each edge (by field, then edge) what the spans show; error
rate and latency MISSING without a call."""
