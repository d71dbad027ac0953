"""What a learner gets of a lane: a row of features, a mask of actions, and the reward.

A feature is something an agent observes; nothing hidden gets in. Computes no observation.
"""

from typing import Any

import numpy as np

from sre_autopilot.history.row_layout import (
    ACTION_FEATURE,
    COST_FEATURE,
    MISSING,
    REFUSED_FEATURE,
    RESTARTS_LEFT_FEATURE,
    SERVICE_FEATURE,
    STEP_FEATURE,
    VERDICT_FEATURES,
)
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.simulator.rules.actions import is_full, rollback_refused
from sre_autopilot.simulator.rules.array_ops import each_row, row_constant, rule, to_float, where
from sre_autopilot.simulator.rules.window_arrays import GATEWAY, METRIC_COUNT, SERVICE_COUNT
from sre_autopilot.world.vocabulary import MAX_RESTARTS

_BREAKABLE = np.where(np.arange(SERVICE_COUNT) == GATEWAY, 0.0, 1.0)
"""By service, whether a circuit break is ever accepted: users, not a breaker, call the gateway."""


@rule
def reward(x: Any) -> Any:
    """The score at an episode's end, 0 before it."""
    return where(x[layout.DONE] > 0.0, x[layout.SCORE], 0.0)


@rule
def write_features(lane: layout.Lane, features: Any, mask: Any) -> None:
    """Fills `features` (FEATURE_COUNT rows) and `mask` (MASK_SIZE rows, by action then service).

    A mask is 1 where the action would be accepted in the next step.
    """
    _keys, x = lane
    for i in each_row(METRIC_COUNT):
        value = x[layout.OBSERVED + i]
        features[i] = where(np.isnan(value), MISSING, value)
    for s in each_row(SERVICE_COUNT):
        features[VERDICT_FEATURES + s] = x[layout.VERDICT + s]
    features[STEP_FEATURE] = x[layout.STEP]
    features[RESTARTS_LEFT_FEATURE] = MAX_RESTARTS - x[layout.RESTARTS]
    features[COST_FEATURE] = x[layout.COST]
    features[ACTION_FEATURE], features[SERVICE_FEATURE] = x[layout.ACTION], x[layout.ACTED_ON]
    features[REFUSED_FEATURE] = x[layout.REFUSED]
    for s in each_row(SERVICE_COUNT):
        mask[layout.RESTART * SERVICE_COUNT + s] = to_float(x[layout.RESTARTS] < MAX_RESTARTS)
        mask[layout.SCALE_UP * SERVICE_COUNT + s] = 1.0 - to_float(is_full(x, s))
        mask[layout.CIRCUIT_BREAK * SERVICE_COUNT + s] = row_constant(_BREAKABLE, s)
        # As of the next step, because it is then that an action is accepted or refused.
        no_rollback = rollback_refused(x, s, x[layout.STEP] + 1.0)
        mask[layout.ROLLBACK * SERVICE_COUNT + s] = 1.0 - to_float(no_rollback)
        mask[layout.WAIT * SERVICE_COUNT + s] = 1.0
