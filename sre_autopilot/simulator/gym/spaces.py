"""The observation and action spaces that learners meet."""

from typing import Any

import numpy as np
from gymnasium import spaces

from sre_autopilot.simulator.rules import features
from sre_autopilot.simulator.rules.window_arrays import METRIC_COUNT, SERVICE_COUNT
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ACTION_COSTS, MAX_RESTARTS, MAX_STEPS, ActionName

HIGHEST_LATENCY_MS = 10_000.0
"""Far above any time-out; a Box needs a bound."""
HIGHEST_PERCENT = 100.0
METRIC_BOUNDS = (HIGHEST_LATENCY_MS, 1.0, HIGHEST_PERCENT, HIGHEST_PERCENT)
"""p99 latency, error rate, CPU, memory."""


def observation_space() -> spaces.Box:
    """(FEATURE_COUNT,), float32."""
    low = np.zeros(features.FEATURE_COUNT, np.float32)
    high = np.ones(features.FEATURE_COUNT, np.float32)
    low[:METRIC_COUNT] = features.MISSING
    high[:METRIC_COUNT] = np.repeat(METRIC_BOUNDS, SERVICE_COUNT)
    high[features.STEP_FEATURE] = MAX_STEPS
    high[features.RESTARTS_LEFT_FEATURE] = MAX_RESTARTS
    high[features.COST_FEATURE] = MAX_STEPS * max(ACTION_COSTS.values())
    high[features.ACTION_FEATURE] = len(ActionName) - 1
    high[features.SERVICE_FEATURE] = len(Service) - 1
    return spaces.Box(low, high)


def action_space() -> spaces.MultiDiscrete:
    """An action and a service, each by its number."""
    return spaces.MultiDiscrete([len(ActionName), len(Service)])


def mask_of(flat: Any) -> Any:
    """(..., actions, services), int8: 1 where the action would be accepted."""
    return flat.reshape(*flat.shape[:-1], features.ACTION_COUNT, SERVICE_COUNT)
