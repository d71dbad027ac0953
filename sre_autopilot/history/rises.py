"""How far the memory of each service is above rest, and how steadily it has risen, as numbers.

A leak that ends in a kill shows in one window, a caller that leaves cursors open by a rise of a few
percent over many. Rest is that of the mesh: the middle of the readings that an episode begins with,
which a fault or two do not move. The sums are what a line through the readings is fitted by: the
evidence for a rise is linear in them. They end with the service's first restart or rollback, after
which memory climbs back to rest, whatever the fault. Rows are their own memory, as in `features`,
and the arithmetic is exact float32 alone.
"""

from typing import Any

import numpy as np

from sre_autopilot.history import row_layout as layout
from sre_autopilot.history.rows import begun_anew

MEMORY_UNIT, STEP = 1.0 / 16.0, 1.0 / 16.0
"""Of memory above rest (percent of the limit) and of a step of time: powers of 2."""

# Blocks of a column a service.
ABOVE, COUNT, TIMES, SQUARES, READINGS, PRODUCTS, SLOPE, ENDED = range(8)
"""Last reading; sums of 1, t, t^2, x and t x, for reading x above rest at time t, 1 in the first
window; slope of the line from rest at time 0; whether the sums have ended."""
REST = 8 * layout.SERVICE_COUNT
"""In units of MEMORY_UNIT."""
RISE_COUNT = REST + 1
BLANK_RISES = np.zeros(RISE_COUNT, np.float32)
"""(RISE_COUNT,): before an episode's first row."""

_MEMORY = layout.METRIC_COLUMNS["memory_pct"]
_UNIT, _STEP, _ZERO, _ONE = (np.float32(value) for value in (MEMORY_UNIT, STEP, 0.0, 1.0))


def of_services(rises: Any, number: int) -> Any:
    """(..., SERVICE_COUNT): a view of one block."""
    return rises[..., number * layout.SERVICE_COUNT : (number + 1) * layout.SERVICE_COUNT]


def advance_rises(before: Any, rows: Any) -> Any:
    """(lanes, RISE_COUNT) float32 after `rows`, a new array.

    before: what this returned for the rows before; what it is where a row begins an episode does
        not matter. rows: (lanes, FEATURE_COUNT) float32 or more columns, see `row_layout`.
    """
    begins = rows[:, layout.STEP_FEATURE, None] == 0.0
    after = np.where(begins, BLANK_RISES, before)
    memory = rows[:, _MEMORY]
    came, readings = memory >= 0.0, memory * _UNIT
    after[:, REST] = np.where(begins[:, 0], _rest(readings, came), after[:, REST])
    x = readings - after[:, REST, None]
    of_services(after, ABOVE)[:] = np.where(came, x, of_services(after, ABOVE))
    ended = of_services(after, ENDED)
    ended[:] = np.maximum(ended, begun_anew(rows))
    t = (rows[:, layout.STEP_FEATURE, None] + _ONE) * _STEP
    summed = came & (ended == 0.0)
    for number, value in ((COUNT, _STEP), (TIMES, t), (SQUARES, t * t), (READINGS, x)):
        of_services(after, number)[:] += np.where(summed, value, _ZERO)
    products, squares = of_services(after, PRODUCTS), of_services(after, SQUARES)
    products += np.where(summed, t * x, _ZERO)
    np.divide(products, squares, out=of_services(after, SLOPE), where=squares > 0.0)
    return after


def _rest(readings: Any, came: Any) -> Any:
    """(lanes,): the middle of those that came, the lower one of two; 0 without any."""
    in_order = np.sort(np.where(came, readings, np.float32(np.inf)), axis=1)
    middle = np.maximum(came.sum(axis=1) - 1, 0) // 2
    rest = np.take_along_axis(in_order, middle[:, None], axis=1)[:, 0]
    return np.where(came.any(axis=1), rest, _ZERO)
