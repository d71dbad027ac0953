"""What bursts of the payment gateway, the service that flaps, look like so far, as numbers near 1.

The causes of a flap differ in what a burst does to CPU and latency, in how much it loses, and in
its rhythm. Each window is noisy, so that means over the bursts and over the quiet windows between
them are what tells; a network of ReLU layers finds such products slowly by itself. Rows are their
own memory, as in `features`, and the arithmetic is exact float32 alone.

Two views show the gateway: its own metrics, and the spans of the calls to it, which are late by
another number of steps. Of each view:

- windows: whether this one was read, whether it is in a burst;
- of the error rate: number and mean in bursts;
- rhythm: time since the last burst began, its length, the time between the last two beginnings,
  and how many bursts there were;
- of p99, and of CPU, which spans do not show: number and mean in bursts, number and mean between
  them, and how far apart the means are in units of their own noise (Student's t of two samples,
  but for a constant).

Then by how many steps the spans are ahead, as bursts that began in both views say.

A window in which calls failed by an order of the agent (a restart, an open breaker) is not read,
as late as telemetry can be.
"""

from typing import Any, NamedTuple

import numpy as np

from sre_autopilot.history import row_layout as layout
from sre_autopilot.history.rows import did
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import BREAKER_STEPS, MAX_LAG_STEPS, ActionName

GATEWAY = tuple(Service).index(Service.PAYMENT_GATEWAY)
IN_BURST_ABOVE = 0.05
"""Error rate of a window in a burst: ten times its noise."""
CPU_UNIT, P99_UNIT = 1.0 / 8.0, 1.0 / 128.0
"""Of CPU (percent) and p99 latency (ms): powers of 2, which round nothing."""
WINDOW, STEP, NEVER = 1.0 / 16.0, 1.0 / 8.0, 4.0
"""A window in a count; a step of time; longer than an episode."""

READ, BURST, ERRORS, ERROR_MEAN, SINCE_BEGIN, LENGTH, PERIOD, TIMES = range(8)
"""Columns of a view, before a block of READING_WIDTH for each of its readings."""
P99, CPU = 8, 13
BURSTS, BURST_MEAN, QUIETS, QUIET_MEAN, APART = range(5)
READING_WIDTH = 5


class View(NamedTuple):
    """Where a view stands: `begin` and `end` of its columns here, and those of a row.

    readings: column of a row and unit, by block.
    """

    begin: int
    end: int
    error_rate: int
    readings: tuple[tuple[int, float], ...]


_OBSCURED = np.float32(STEP * (BREAKER_STEPS + MAX_LAG_STEPS))
_ERROR_RATE, _CPU_PCT, _P99_MS = (
    layout.METRIC_COLUMNS[name].start + GATEWAY for name in ("error_rate", "cpu_pct", "latency_p99")
)
(_EDGE,) = (
    place
    for place, (_, callee) in enumerate(layout.SPAN_EDGES)
    if callee is Service.PAYMENT_GATEWAY
)
SPAN_COLUMNS = tuple(
    layout.FEATURE_COUNT + place * len(layout.SPAN_EDGES) + _EDGE
    for place in range(len(layout.SPAN_FIELDS))
)
"""Of a row: what the spans of the calls to the gateway show, in the order of SPAN_FIELDS."""
_, _SPAN_ERROR_RATE, _SPAN_P99_MS = SPAN_COLUMNS
OWN = View(0, CPU + READING_WIDTH, _ERROR_RATE, ((_P99_MS, P99_UNIT), (_CPU_PCT, CPU_UNIT)))
SPANS = View(OWN.end, OWN.end + P99 + READING_WIDTH, _SPAN_ERROR_RATE, ((_SPAN_P99_MS, P99_UNIT),))
AHEAD_FROM = SPANS.end
"""A column for each number of steps, MAX_LAG_STEPS behind first: bursts that began so far apart."""
UNREADABLE = AHEAD_FROM + 2 * MAX_LAG_STEPS + 1
"""Steps for which windows are not read, in units of STEP."""
BURST_COUNT = UNREADABLE + 1

_OBSCURING = (ActionName.RESTART, ActionName.CIRCUIT_BREAK, ActionName.ROLLBACK)
_STEP, _WINDOW, _NEVER, _ZERO = (np.float32(value) for value in (STEP, WINDOW, NEVER, 0.0))


def _blank() -> Any:
    bursts = np.zeros(BURST_COUNT, np.float32)
    for view in (OWN, SPANS):
        bursts[view.begin + SINCE_BEGIN] = NEVER
    return bursts


BLANK_BURSTS = _blank()
"""(BURST_COUNT,): before an episode's first row."""


def advance_bursts(before: Any, rows: Any) -> Any:
    """(lanes, BURST_COUNT) float32 after `rows`, a new array.

    before: what this returned for the rows before; what it is where a row begins an episode does
        not matter. rows: (lanes, FEATURE_COUNT + SPAN_COUNT) float32, see `row_layout`.
    """
    begins = rows[:, layout.STEP_FEATURE, None] == 0.0
    after = np.where(begins, BLANK_BURSTS, before)
    left = after[:, UNREADABLE]
    left[:] = np.where(_obscures(rows), _OBSCURED, np.maximum(_ZERO, left - _STEP))
    own, spans = (_advance_view(after, rows, view) for view in (OWN, SPANS))
    _compare_beginnings(after, own, spans)
    return after


def _advance_view(after: Any, rows: Any, view: View) -> Any:
    """Returns (lanes,) bool: whether a burst begins."""
    of_view, error_rate = after[:, view.begin : view.end], rows[:, view.error_rate]
    read = (error_rate >= 0.0) & (after[:, UNREADABLE] == 0.0)
    burst = read & (error_rate > np.float32(IN_BURST_ABOVE))
    # It begins where the window read before was not in one.
    begins = burst & (of_view[:, BURST] == 0.0)
    _keep_rhythm(of_view, burst, begins)
    of_view[:, READ] = read
    of_view[:, BURST] = np.where(read, burst, of_view[:, BURST])
    _add(of_view, ERRORS, error_rate, burst)
    for number, (column, unit) in enumerate(view.readings):
        block = of_view[:, P99 + number * READING_WIDTH :][:, :READING_WIDTH]
        reading, came = rows[:, column] * np.float32(unit), rows[:, column] >= 0.0
        _add(block, BURSTS, reading, burst & came)
        _add(block, QUIETS, reading, read & ~burst & came)
        _set_apart(block)
    return begins


def _compare_beginnings(after: Any, own: Any, spans: Any) -> None:
    """Counts bursts by how many steps after the spans the metrics show that they begin."""
    since_own, since_spans = (after[:, view.begin + SINCE_BEGIN] for view in (OWN, SPANS))
    for steps in range(MAX_LAG_STEPS + 1):
        apart = np.float32(steps * STEP)
        middle = AHEAD_FROM + MAX_LAG_STEPS
        after[:, middle + steps] += (own & (since_spans == apart)) * _STEP
        if steps:
            after[:, middle - steps] += (spans & (since_own == apart)) * _STEP


def _obscures(rows: Any) -> Any:
    """(lanes,) bool: whether the step's action makes calls to the gateway fail, whatever else."""
    of_gateway = rows[:, layout.SERVICE_FEATURE] == np.float32(GATEWAY)
    return did(rows, *_OBSCURING) & of_gateway


def _keep_rhythm(after: Any, burst: Any, begins: Any) -> None:
    since = np.minimum(_NEVER, after[:, SINCE_BEGIN] + _STEP)
    after[:, PERIOD] = np.where(begins & (since < _NEVER), since, after[:, PERIOD])
    after[:, SINCE_BEGIN] = np.where(begins, _ZERO, since)
    longer = np.where(burst, after[:, LENGTH] + _STEP, after[:, LENGTH])
    after[:, LENGTH] = np.where(begins, _STEP, longer)
    after[:, TIMES] += begins * _STEP


def _add(after: Any, place: int, reading: Any, hit: Any) -> None:
    """Where `hit`, counts `reading` at `place` and moves the mean beside it."""
    count, mean = after[:, place], after[:, place + 1]
    count += hit * _WINDOW
    share = np.divide(_WINDOW, count, out=np.zeros_like(count), where=count > 0.0)
    mean += np.where(hit, share * (reading - mean), _ZERO)


def _set_apart(block: Any) -> None:
    """The difference of the means, times the root of 1 / (1 / bursts + 1 / quiets)."""
    bursts, quiets = block[:, BURSTS], block[:, QUIETS]
    both = bursts + quiets
    weight = np.divide(bursts * quiets, both, out=np.zeros_like(both), where=both > 0.0)
    block[:, APART] = (block[:, BURST_MEAN] - block[:, QUIET_MEAN]) * np.sqrt(weight)
