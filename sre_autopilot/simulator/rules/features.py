"""What a learner is given of a lane: one row of numbers, which actions the world would take, and
the reward.

Laws of `reading`. The row holds what an agent sees and nothing else.
"""

from typing import Any

import numpy as np

from sre_autopilot.simulator.rules import state_layout as at
from sre_autopilot.simulator.rules.actions import cannot_go_back, is_full
from sre_autopilot.simulator.rules.array_ops import each, entry, law, real, where
from sre_autopilot.simulator.rules.window_arrays import GATEWAY, METRICS, SERVICES
from sre_autopilot.world.vocabulary import MAX_RESTARTS

MISSING = -1.0
"""In place of a value that did not arrive; no real one is negative."""
VERDICTS = METRICS
STEP, RESTARTS_LEFT, COST, ACTION, SERVICE, REFUSED = range(
    VERDICTS + SERVICES, VERDICTS + SERVICES + 6
)
PRESENTED = REFUSED + 1
ACTIONS = at.WAIT + 1
MASKED = ACTIONS * SERVICES
BREAKABLE = np.where(np.arange(SERVICES) == GATEWAY, 0.0, 1.0)


@law
def reward(x: Any) -> Any:
    """The score at an episode's end, 0 before; no score is 0."""
    return where(x[at.DONE] > 0.0, x[at.SCORE], 0.0)


@law
def present(lane: at.Lane, row: Any, mask: Any) -> None:
    """Fills `row` (PRESENTED) and `mask` (ACTIONS * SERVICES): 1 where it would be carried out."""
    _keys, x = lane
    for i in each(METRICS):
        value = x[at.SEEN + i]
        row[i] = where(np.isnan(value), MISSING, value)
    for s in each(SERVICES):
        row[VERDICTS + s] = x[at.VERDICT + s]
    row[STEP], row[RESTARTS_LEFT] = x[at.STEP], MAX_RESTARTS - x[at.RESTARTS]
    row[COST], row[ACTION] = x[at.COST], x[at.ACTION]
    row[SERVICE], row[REFUSED] = x[at.ACTED_ON], x[at.REFUSED]
    for s in each(SERVICES):
        mask[at.RESTART * SERVICES + s] = real(x[at.RESTARTS] < MAX_RESTARTS)
        mask[at.SCALE_UP * SERVICES + s] = 1.0 - real(is_full(x, s))
        mask[at.CIRCUIT_BREAK * SERVICES + s] = entry(BREAKABLE, s)
        # As of the next step: it is then that the world says no.
        mask[at.ROLLBACK * SERVICES + s] = 1.0 - real(cannot_go_back(x, s, x[at.STEP] + 1.0))
        mask[at.WAIT * SERVICES + s] = 1.0
