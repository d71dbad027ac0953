"""The spaces that learners meet, and how their actions become moves."""

from typing import Any

import numpy as np
from gymnasium import spaces

from sre_autopilot.simulator.rules import features as presented
from sre_autopilot.simulator.rules.window_arrays import METRICS, SERVICES
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ACTION_COSTS, MAX_RESTARTS, MAX_STEPS, ActionName

LATENCY_MOST_MS = 10_000.0
"""Far above any time-out: a bound for the sake of the space."""
PERCENT_MOST = 100.0
METRIC_BOUNDS = (LATENCY_MOST_MS, 1.0, PERCENT_MOST, PERCENT_MOST)


def observation_space() -> spaces.Box:
    """(PRESENTED,), float32."""
    low = np.zeros(presented.PRESENTED, np.float32)
    high = np.ones(presented.PRESENTED, np.float32)
    low[:METRICS] = presented.MISSING
    high[:METRICS] = np.repeat(METRIC_BOUNDS, SERVICES)
    high[presented.STEP] = MAX_STEPS
    high[presented.RESTARTS_LEFT] = MAX_RESTARTS
    high[presented.COST] = MAX_STEPS * max(ACTION_COSTS.values())
    high[presented.ACTION], high[presented.SERVICE] = len(ActionName) - 1, len(Service) - 1
    return spaces.Box(low, high)


def action_space() -> spaces.MultiDiscrete:
    """An action and a service, each by its number."""
    return spaces.MultiDiscrete([len(ActionName), len(Service)])


def mask_of(flat: Any) -> Any:
    """(..., actions, services), int8: 1 where the world would carry the action out."""
    return flat.reshape(*flat.shape[:-1], len(ActionName), len(Service))
