"""The newest row as numbers near 1: what a learner reads that keeps a memory of its own.

Of earlier rows they hold one thing, since when each service has been scaled up or rolled back,
which decides what would be accepted. Exact float32 operations alone, lane by lane: equal rows give
equal bits, whether lanes are many or one.

- the clock, restarts left, cost, whether the last action was refused;
- 7 verdicts;
- 28 metrics and 21 figures of spans, 0 where one did not come, and of each whether it came;
- which action was done on which service, and which one was asked for;
- since when each service has been scaled up, and rolled back.
"""

from typing import Any

import numpy as np

from sre_autopilot.history import row_layout as layout
from sre_autopilot.history.features import (
    NEVER,
    ROLLBACK,
    SCALE_UP,
    SCALES,
    SPAN_SCALES,
    STEP,
    WAIT,
    WIDTH,
    accepted_next,
    asked_now,
    done_now,
)

ROW_COUNT = layout.FEATURE_COUNT + layout.SPAN_COUNT
"""Columns of the rows that it reads: those with `trace_edges`."""
_SINGLES = (
    layout.STEP_FEATURE,
    layout.RESTARTS_LEFT_FEATURE,
    layout.COST_FEATURE,
    layout.REFUSED_FEATURE,
)
CLOCK, _RESTARTS_LEFT, _COST, REFUSED = range(len(_SINGLES))
_SINGLE_SCALE = np.array([STEP, 1 / 8, 1 / 32, 1.0], np.float32)
_VERDICTS = slice(layout.VERDICT_FEATURES, layout.VERDICT_FEATURES + layout.SERVICE_COUNT)
_VALUES = np.r_[: layout.METRIC_COUNT, layout.FEATURE_COUNT : ROW_COUNT]
_VALUE_SCALE = np.concatenate(
    [
        np.repeat(np.array(SCALES, np.float32), layout.SERVICE_COUNT),
        np.repeat(np.array(SPAN_SCALES, np.float32), len(layout.SPAN_EDGES)),
    ]
)
VALUES_FROM = len(_SINGLES) + layout.SERVICE_COUNT
CAME_FROM = VALUES_FROM + len(_VALUES)
DONE_FROM = CAME_FROM + len(_VALUES)
"""Where the values stand, the flags that say which of them came, and what follows those."""
_SCALED_FROM = DONE_FROM + WIDTH + layout.ACTION_COUNT
_ROLLED_BACK_FROM = _SCALED_FROM + layout.SERVICE_COUNT
NEWEST_COUNT = _ROLLED_BACK_FROM + layout.SERVICE_COUNT
_STEP, _NEVER, _NOW = np.float32(STEP), np.float32(NEVER), np.float32(0.0)


def blank_newest(lanes: int) -> Any:
    """(lanes, NEWEST_COUNT) float32: before the first row."""
    out = np.zeros((lanes, NEWEST_COUNT), np.float32)
    out[:, _SCALED_FROM:] = NEVER
    return out


def advance_newest(before: Any, rows: Any) -> Any:
    """(lanes, NEWEST_COUNT) float32 after `rows`, a new array.

    before: what this returned for the rows before. rows: (lanes, ROW_COUNT) float32.
    """
    values, done = rows[:, _VALUES], done_now(rows)
    came = values >= 0.0
    by_action = done.reshape(len(rows), WAIT, layout.SERVICE_COUNT)
    lasting = np.concatenate([by_action[:, SCALE_UP], by_action[:, ROLLBACK]], axis=1)
    since = np.minimum(_NEVER, before[:, _SCALED_FROM:] + _STEP)
    begins = rows[:, layout.STEP_FEATURE, None] == 0.0
    parts = (
        rows[:, _SINGLES] * _SINGLE_SCALE,
        rows[:, _VERDICTS],
        np.where(came, values * _VALUE_SCALE, np.float32(0.0)),
        came,
        done,
        asked_now(rows),
        np.where(lasting, _NOW, np.where(begins, _NEVER, since)),
    )
    return np.concatenate(parts, axis=1, dtype=np.float32)


def newest_mask(newest: Any) -> Any:
    """(lanes, FLAT_COUNT) bool: which flat actions would be accepted; the last one is to wait."""
    scaled, rolled_back = (
        newest[:, first : first + layout.SERVICE_COUNT]
        for first in (_SCALED_FROM, _ROLLED_BACK_FROM)
    )
    mask = accepted_next(newest[:, _RESTARTS_LEFT], scaled, rolled_back)
    return mask[:, : WAIT * layout.SERVICE_COUNT + 1]
