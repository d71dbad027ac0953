"""The observation space that learners meet."""

import numpy as np
from gymnasium import spaces

from sre_autopilot.history import row_layout as layout
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ACTION_COSTS, MAX_RESTARTS, MAX_STEPS, ActionName

HIGHEST_LATENCY_MS = 10_000.0
"""Far above any time-out; a Box needs a bound."""
HIGHEST_PERCENT = 100.0
METRIC_BOUNDS = (HIGHEST_LATENCY_MS, 1.0, HIGHEST_PERCENT, HIGHEST_PERCENT)
"""p99 latency, error rate, CPU, memory."""
MOST_CALLS = 10_000.0
SPAN_BOUNDS = ((0.0, MOST_CALLS), (layout.MISSING, 1.0), (layout.MISSING, HIGHEST_LATENCY_MS))
"""Lowest and highest calls, error rate and p99 latency of an edge."""


def observation_space(*, trace_edges: bool = False) -> spaces.Box:
    """(FEATURE_COUNT,), float32; with `trace_edges`, three fields of each edge more."""
    low = np.zeros(layout.FEATURE_COUNT, np.float32)
    high = np.ones(layout.FEATURE_COUNT, np.float32)
    low[: layout.METRIC_COUNT] = layout.MISSING
    high[: layout.METRIC_COUNT] = np.repeat(METRIC_BOUNDS, layout.SERVICE_COUNT)
    high[layout.STEP_FEATURE] = MAX_STEPS
    high[layout.RESTARTS_LEFT_FEATURE] = MAX_RESTARTS
    high[layout.COST_FEATURE] = MAX_STEPS * max(ACTION_COSTS.values())
    high[layout.ACTION_FEATURE] = len(ActionName) - 1
    high[layout.SERVICE_FEATURE] = len(Service) - 1
    if trace_edges:
        bounds = np.repeat(np.array(SPAN_BOUNDS, np.float32), len(layout.SPAN_EDGES), axis=0)
        low, high = np.append(low, bounds[:, 0]), np.append(high, bounds[:, 1])
    return spaces.Box(low, high)
