"""What the memory of a service is since it last began anew by an order of the agent.

One restart of five leaves a leak where it was. Its own window tells already: the service answers
nothing in it, and memory is at rest, or a step's leak above. Telemetry is late by a number of steps
that the agent does not know, so that memory of before the restart arrives after it. Readings count
from the first window without an answer on, or from MAX_LAG_STEPS after the restart, as after a
rollback, in which nothing is silent. A kill that shows late, or a burst, can be taken for the
restart's window; the next readings correct that. Rows are their own memory, as in `features`, and
the arithmetic is exact float32 alone.
"""

from typing import Any

import numpy as np

from sre_autopilot.history import row_layout as layout
from sre_autopilot.history.rows import begun_anew
from sre_autopilot.world.vocabulary import MAX_LAG_STEPS

ANSWERS_NOTHING_ABOVE = 0.75
"""Error rate of a service that was held out of a window."""
STEP = 1.0 / 16.0
"""A step of time, or a reading in a count: a power of 2."""

# Blocks of a column a service.
SINCE, ARRIVED_FOR, ABOVE, READINGS = range(4)
"""Steps since the last restart or rollback, its own one included, and steps for which telemetry of
after it has arrived, 0 without; the last such reading of memory above rest, and how many."""
RESTART_COUNT = 4 * layout.SERVICE_COUNT
BLANK_RESTARTS = np.zeros(RESTART_COUNT, np.float32)
"""(RESTART_COUNT,): before an episode's first row."""

_ERRORS, _MEMORY = (layout.METRIC_COLUMNS[name] for name in ("error_rate", "memory_pct"))
_STEP, _ZERO = np.float32(STEP), np.float32(0.0)
_CERTAIN = np.float32(STEP * (1 + MAX_LAG_STEPS))


def advance_restarts(before: Any, rows: Any, above: Any) -> Any:
    """(lanes, RESTART_COUNT) float32 after `rows`, a new array.

    before: what this returned for the rows before. rows: (lanes, FEATURE_COUNT) float32 or more
    columns. above: (lanes, SERVICE_COUNT), the last reading of memory above rest, see `rises`.
    """
    anew = begun_anew(rows)
    begins = rows[:, layout.STEP_FEATURE, None] == 0.0
    after = np.where(begins | np.tile(anew, (1, 4)), _ZERO, before)
    since, arrived, last, readings = np.split(after, 4, axis=1)
    since += np.where(anew | (since > 0.0), _STEP, _ZERO)
    silent = rows[:, _ERRORS] > ANSWERS_NOTHING_ABOVE
    of_after = (since > 0.0) & (silent | (arrived > 0.0) | (since >= _CERTAIN))
    arrived += np.where(of_after, _STEP, _ZERO)
    read = of_after & (rows[:, _MEMORY] >= 0.0)
    last[:] = np.where(read, above, last)
    readings += np.where(read, _STEP, _ZERO)
    return after
