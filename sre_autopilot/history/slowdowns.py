"""How slow services and the calls between them have been so far: a pool that drains shows slowly.

A connection more that a database does not get back makes its p99 a little longer. Metrics and
spans show that with lags of their own, and a p99 is noisy, so that sums over the windows tell: of
the p99, and of time times p99, by which a line through the readings is fitted. They end with the
first thing that an agent does, after which nothing is as it was. One outlier must not decide, so
that a p99 counts up to CAP. Rows are their own memory, as in `features`, and the arithmetic is
exact float32 alone.
"""

from typing import Any

import numpy as np

from sre_autopilot.history import row_layout as layout
from sre_autopilot.history.rows import did
from sre_autopilot.world.vocabulary import ActionName

P99_UNIT, STEP = 1.0 / 64.0, 1.0 / 16.0
"""Of p99 (ms) and of a step of time: powers of 2."""
CAP = 1.0
"""The longest p99 that counts, 64 ms: databases at rest take a third of that."""

EDGE_COUNT = len(layout.SPAN_EDGES)
SEEN_COUNT = layout.SERVICE_COUNT + EDGE_COUNT
# Blocks of a column for each service, then for each edge.
READINGS, SUM, PRODUCTS = range(3)
"""How many p99 came; their sum; the sum of time times p99."""
ENDED = 3 * SEEN_COUNT
"""Whether the sums have ended."""
SLOWDOWN_COUNT = ENDED + 1
BLANK_SLOWDOWNS = np.zeros(SLOWDOWN_COUNT, np.float32)
"""(SLOWDOWN_COUNT,): before an episode's first row."""

_OF_EDGES = layout.FEATURE_COUNT + layout.SPAN_FIELDS.index("latency_p99") * EDGE_COUNT
_COLUMNS = np.r_[layout.METRIC_COLUMNS["latency_p99"], _OF_EDGES : _OF_EDGES + EDGE_COUNT]
_ACTS = tuple(action for action in ActionName if action is not ActionName.WAIT)
_UNIT, _STEP, _CAP, _ZERO, _ONE = (np.float32(v) for v in (P99_UNIT, STEP, CAP, 0.0, 1.0))


def advance_slowdowns(before: Any, rows: Any) -> Any:
    """(lanes, SLOWDOWN_COUNT) float32 after `rows`, a new array.

    before: what this returned for the rows before. rows: (lanes, FEATURE_COUNT + SPAN_COUNT).
    """
    step = rows[:, layout.STEP_FEATURE, None]
    after = np.where(step == 0.0, BLANK_SLOWDOWNS, before)
    p99 = rows[:, _COLUMNS]
    came, x = p99 >= 0.0, np.minimum(p99 * _UNIT, _CAP)
    ended = after[:, ENDED:]
    ended[:] = np.maximum(ended, did(rows, *_ACTS)[:, None])
    summed = came & (ended == 0.0)
    sums = after[:, :ENDED].reshape(len(rows), 3, SEEN_COUNT)
    for number, value in (
        (READINGS, _STEP),
        (SUM, x * _STEP),
        (PRODUCTS, (step + _ONE) * _STEP * x * _STEP),
    ):
        sums[:, number] += np.where(summed, value, _ZERO)
    return after
