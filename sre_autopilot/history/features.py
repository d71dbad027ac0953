"""What a memory of rows adds, as numbers near 1: the input of a learner that has no memory.

The features of a step follow from those of the step before and the row at hand, so they are their
own memory. Exact float32 operations alone (+ - * and comparisons), lane by lane: equal rows give
equal bits, whether lanes are many or one.

- 9 * 28: of each metric its last value, whether it came, averages at RATES, slope, maximum since
  the last action, time since it was broken, and how often it was;
- 6 * 28: of each action but wait on each service whether it was done now, the same decayed by
  KEEPS, how often, and time since; a refused action is not done;
- 17: verdicts, clock, restarts left, cost, refused, last action, time since an action that counts;
- with spans, what they show now: 21.
"""

from typing import Any

import numpy as np

from sre_autopilot.history import row_layout as layout
from sre_autopilot.history.rows import row_of
from sre_autopilot.models import SREObservation
from sre_autopilot.world.sla import P99_LIMIT_MS
from sre_autopilot.world.topology import ENTRY, Service
from sre_autopilot.world.vocabulary import SCALE_UP_STEPS, ActionName

_ACTIONS = tuple(ActionName)
_RESTART, SCALE_UP, _CIRCUIT_BREAK, ROLLBACK, WAIT = range(len(_ACTIONS))
WIDTH = layout.METRIC_COUNT
"""Columns of a block: metrics by service, or actions but wait by service; both are 28."""
assert WIDTH == WAIT * layout.SERVICE_COUNT

RATES = (0.5, 0.25, 0.125)
"""Share of the way to a new value that each average goes."""
KEEPS = (0.5, 0.75, 0.875)
"""Share that is left a step later of what was done."""
STEP = 1.0 / 32.0
"""A step of time. 1 is NEVER, which no time within an episode reaches."""
NEVER = 1.0
SCALES = (1.0 / 256.0, 1.0, 1.0 / 128.0, 1.0 / 128.0)
"""Of p99 latency (ms), error rate, CPU and memory (percent): powers of 2, which round nothing."""
SPAN_SCALES = (1.0 / 64.0, 1.0, 1.0 / 256.0)
"""Of calls, error rate and p99 latency of an edge."""
BROKEN_ABOVE = (P99_LIMIT_MS, 0.05, 50.0, 60.0)
"""A metric is broken above these, in its own unit; an error rate well above its noise."""

# Blocks of WIDTH columns, then single columns.
(
    LAST, CAME, FAST, MIDDLE, SLOW, SLOPE, PEAK, SINCE_BROKEN, TIMES_BROKEN,
    DONE_NOW, DONE_FAST, DONE_MIDDLE, DONE_SLOW, TIMES_DONE, SINCE_DONE,
) = range(15)  # fmt: skip
SINGLES = 15 * WIDTH
CLOCK = SINGLES + layout.SERVICE_COUNT
RESTARTS_LEFT, COST, REFUSED, LAST_ACTION = (CLOCK + place for place in (1, 2, 3, 4))
SINCE_ACTION = LAST_ACTION + len(_ACTIONS)
HISTORY_COUNT = SINCE_ACTION + 1
_AVERAGES = tuple(zip((FAST, MIDDLE, SLOW), map(np.float32, RATES), strict=True))
_DECAYS = tuple(zip((DONE_FAST, DONE_MIDDLE, DONE_SLOW), map(np.float32, KEEPS), strict=True))
_SCALE = np.repeat(np.array(SCALES, np.float32), layout.SERVICE_COUNT)
_BROKEN = _SCALE * np.repeat(np.array(BROKEN_ABOVE, np.float32), layout.SERVICE_COUNT)
_SPAN_SCALE = np.repeat(np.array(SPAN_SCALES, np.float32), len(layout.SPAN_EDGES))
_STEP, _NEVER, _HALF = np.float32(STEP), np.float32(NEVER), np.float32(0.5)
_COUNT_UNIT, _RESTART_UNIT, _COST_UNIT = np.float32(1 / 8), np.float32(1 / 8), np.float32(1 / 32)


def history_count(*, trace_edges: bool = False) -> int:
    return HISTORY_COUNT + (layout.SPAN_COUNT if trace_edges else 0)


def block(features: Any, number: int) -> Any:
    """(..., WIDTH): a view of one block."""
    return features[..., number * WIDTH : (number + 1) * WIDTH]


def _blank() -> Any:
    features = np.zeros(HISTORY_COUNT, np.float32)
    for number in (LAST, FAST, MIDDLE, SLOW, PEAK):
        block(features, number)[:] = layout.MISSING
    for number in (SINCE_BROKEN, SINCE_DONE):
        block(features, number)[:] = NEVER
    features[SINCE_ACTION] = NEVER
    return features


BLANK = _blank()
"""(HISTORY_COUNT,): before an episode's first row."""


def blank_features(rows: Any) -> Any:
    """(1, columns): what is known before the first of such `rows`."""
    return np.append(BLANK, np.zeros(rows.shape[1] - layout.FEATURE_COUNT, np.float32))[None]


def advance(before: Any, rows: Any) -> Any:
    """The features after `rows`, a new array of `history_count(trace_edges)` columns, float32.

    before: those of the step before; what they are where a row begins an episode does not matter.
    rows: (lanes, FEATURE_COUNT) float32, or SPAN_COUNT columns more; see `row_layout`.
    """
    begins, spans = rows[:, layout.STEP_FEATURE, None] == 0.0, rows[:, layout.FEATURE_COUNT :]
    after = np.where(begins, blank_features(rows), before)
    after[:, HISTORY_COUNT:] = spans * _SPAN_SCALE[: spans.shape[1]]
    _remember_actions(after, rows)
    _remember_metrics(after, rows)
    after[:, SINGLES:CLOCK] = rows[:, layout.VERDICT_FEATURES :][:, : layout.SERVICE_COUNT]
    after[:, CLOCK] = rows[:, layout.STEP_FEATURE] * _STEP
    after[:, RESTARTS_LEFT] = rows[:, layout.RESTARTS_LEFT_FEATURE] * _RESTART_UNIT
    after[:, COST] = rows[:, layout.COST_FEATURE] * _COST_UNIT
    after[:, REFUSED] = rows[:, layout.REFUSED_FEATURE]
    return after


def done_now(rows: Any) -> Any:
    """(lanes, WIDTH) bool: what the step of each row did, by action, then service."""
    action, service = rows[:, layout.ACTION_FEATURE, None], rows[:, layout.SERVICE_FEATURE, None]
    accepted = rows[:, layout.REFUSED_FEATURE, None] == 0.0
    number = action * np.float32(layout.SERVICE_COUNT) + service
    return (number == np.arange(WIDTH, dtype=np.float32)) & accepted & (action < WAIT)


def asked_now(rows: Any) -> Any:
    """(lanes, ACTION_COUNT) bool: which action the step of each row asked for."""
    return rows[:, layout.ACTION_FEATURE, None] == np.arange(len(_ACTIONS), dtype=np.float32)


def _remember_actions(after: Any, rows: Any) -> None:
    now = done_now(rows)
    done = now.astype(np.float32)
    block(after, DONE_NOW)[:] = done
    for place, keep in _DECAYS:
        of_rate = block(after, place)
        of_rate *= keep
        of_rate += done
    block(after, TIMES_DONE)[:] += done * _COUNT_UNIT
    since = block(after, SINCE_DONE)
    since[:] = np.where(now, np.float32(0.0), np.minimum(_NEVER, since + _STEP))
    after[:, LAST_ACTION:SINCE_ACTION] = asked_now(rows)
    after[:, SINCE_ACTION] = since.min(axis=1)


def _remember_metrics(after: Any, rows: Any) -> None:
    metrics = rows[:, :WIDTH]
    came, values = metrics >= 0.0, metrics * _SCALE
    last, peak = block(after, LAST), block(after, PEAK)
    slope = block(after, SLOPE)
    known_before = last >= 0.0
    change = np.where(came & known_before, values - last, np.float32(0.0))
    slope += np.where(came, _HALF * (change - slope), np.float32(0.0))
    for place, rate in _AVERAGES:
        average = block(after, place)
        moved = np.where(known_before, average + rate * (values - average), values)
        average[:] = np.where(came, moved, average)
    # An action begins the maximum anew.
    peak[:] = np.where(after[:, SINCE_ACTION, None] == 0.0, np.float32(layout.MISSING), peak)
    peak[:] = np.where(came, np.maximum(peak, values), peak)
    last[:] = np.where(came, values, last)
    block(after, CAME)[:] = came
    broken = came & (values > _BROKEN)
    since = block(after, SINCE_BROKEN)
    since[:] = np.where(broken, np.float32(0.0), np.minimum(_NEVER, since + _STEP))
    block(after, TIMES_BROKEN)[:] += broken * _COUNT_UNIT


def action_mask(features: Any) -> Any:
    """(lanes, MASK_SIZE) bool, by action, then service: what would be accepted in the next step."""
    since = block(features, SINCE_DONE).reshape(len(features), WAIT, layout.SERVICE_COUNT)
    return accepted_next(features[:, RESTARTS_LEFT], since[:, SCALE_UP], since[:, ROLLBACK])


def accepted_next(restarts_left: Any, scaled: Any, rolled_back: Any) -> Any:
    """(lanes, MASK_SIZE) bool, see `action_mask`. restarts_left: (lanes,). scaled, rolled_back:
    (lanes, SERVICE_COUNT), time since that was done.

    What an agent has done says which replicas run, so it is that of the world.
    """
    mask = np.ones((len(scaled), len(_ACTIONS), layout.SERVICE_COUNT), np.bool_)
    # The standby runs from a scale-up until a rollback, and serves SCALE_UP_STEPS later. Seen from
    # the next step, everything is one step older.
    full = scaled < rolled_back
    starting = scaled + _STEP < np.float32(SCALE_UP_STEPS * STEP)
    mask[:, _RESTART] = restarts_left[:, None] > 0.0
    mask[:, SCALE_UP] = ~full
    mask[:, _CIRCUIT_BREAK, tuple(Service).index(ENTRY)] = False
    mask[:, ROLLBACK] = (rolled_back == _NEVER) & ~starting
    return mask.reshape(len(scaled), -1)


class History:
    """The features of one stream of observations; begins anew by itself with an episode."""

    def __init__(self, *, trace_edges: bool = False) -> None:
        self._trace_edges = trace_edges
        self.features = np.zeros((1, history_count(trace_edges=trace_edges)), np.float32)

    def after(self, observation: SREObservation) -> Any:
        """(history_count(),) float32. The first observation is that of an episode's reset."""
        row = row_of(observation, trace_edges=self._trace_edges)
        self.features = advance(self.features, row[None])
        return self.features[0].copy()

    def action_mask(self) -> Any:
        """(MASK_SIZE,) bool, see `action_mask`."""
        return action_mask(self.features)[0]
