"""What a learner without memory gets of the past: features, and a tape of one service's last steps.

Bursts of a flap differ in their rhythm, which averages and counters blur. The tape keeps it: the
last TAPE_STEPS readings of the payment gateway, the service that flaps, the spans of the calls to
it, which show it a second time with another lag, and what was done to it.
Equal rows give equal bits, as those of `features` do: values are scaled by powers of 2, and moved.
"""

from typing import Any

import numpy as np

from sre_autopilot.history import row_layout as layout
from sre_autopilot.history.bursts import (
    BLANK_BURSTS,
    BURST_COUNT,
    GATEWAY,
    SPAN_COLUMNS,
    advance_bursts,
)
from sre_autopilot.history.features import (
    DONE_NOW,
    HISTORY_COUNT,
    SCALES,
    SPAN_SCALES,
    WAIT,
    action_mask,
    advance,
    blank_features,
    block,
    history_count,
)
from sre_autopilot.history.restarts import BLANK_RESTARTS, RESTART_COUNT, advance_restarts
from sre_autopilot.history.rises import ABOVE, BLANK_RISES, RISE_COUNT, advance_rises, of_services
from sre_autopilot.history.rows import row_of
from sre_autopilot.history.slowdowns import BLANK_SLOWDOWNS, SLOWDOWN_COUNT, advance_slowdowns
from sre_autopilot.models import SREObservation

TAPE_STEPS = 16
"""Two of the longest periods of a flap."""
TAPED_VALUES = len(SCALES) + len(SPAN_SCALES)
TAPE_WIDTH = TAPED_VALUES + WAIT
"""Of a step: the scaled metrics and spans, MISSING where one did not come, and which action was
done."""
TAPE_COUNT = TAPE_STEPS * TAPE_WIDTH
ROW_COUNT = layout.FEATURE_COUNT + layout.SPAN_COUNT
"""Columns of the rows that it reads: those with `trace_edges`."""
FEATURES_COUNT = history_count(trace_edges=True)
BURSTS_FROM = FEATURES_COUNT + TAPE_COUNT
RISES_FROM = BURSTS_FROM + BURST_COUNT
RESTARTS_FROM = RISES_FROM + RISE_COUNT
SLOWDOWNS_FROM = RESTARTS_FROM + RESTART_COUNT
INPUT_COUNT = SLOWDOWNS_FROM + SLOWDOWN_COUNT
_VALUES = np.append(np.arange(len(SCALES)) * layout.SERVICE_COUNT + GATEWAY, SPAN_COLUMNS)
"""Columns of a row that are taped."""
_DONE = np.arange(WAIT) * layout.SERVICE_COUNT + GATEWAY
_SCALES = np.array(SCALES + SPAN_SCALES, np.float32)
_BLANK_STEP = np.array([layout.MISSING] * TAPED_VALUES + [0.0] * WAIT, np.float32)
_BLANK_TAPE = np.tile(_BLANK_STEP, TAPE_STEPS)


def blank_inputs(lanes: int) -> Any:
    """(lanes, INPUT_COUNT) float32: before the first row."""
    features = blank_features(np.empty((0, ROW_COUNT), np.float32))[0]
    blanks = (_BLANK_TAPE, BLANK_BURSTS, BLANK_RISES, BLANK_RESTARTS, BLANK_SLOWDOWNS)
    return np.tile(np.concatenate([features, *blanks]), (lanes, 1))


def advance_inputs(before: Any, rows: Any) -> Any:
    """(lanes, INPUT_COUNT) float32 after `rows`, a new array: features, the tape with the newest
    step first, bursts, rises, restarts, slowdowns.

    before: what this returned for the rows before. rows: (lanes, ROW_COUNT) float32.
    """
    after = np.empty((len(rows), INPUT_COUNT), np.float32)
    features, tape = after[:, :FEATURES_COUNT], after[:, FEATURES_COUNT:BURSTS_FROM]
    features[:] = advance(before[:, :FEATURES_COUNT], rows)
    begins = rows[:, layout.STEP_FEATURE, None] == 0.0
    earlier = before[:, FEATURES_COUNT : BURSTS_FROM - TAPE_WIDTH]
    tape[:, TAPE_WIDTH:] = np.where(begins, _BLANK_TAPE[TAPE_WIDTH:], earlier)
    values = rows[:, _VALUES]
    tape[:, :TAPED_VALUES] = np.where(values >= 0.0, values * _SCALES, layout.MISSING)
    tape[:, TAPED_VALUES:TAPE_WIDTH] = block(features, DONE_NOW)[:, _DONE]
    after[:, BURSTS_FROM:RISES_FROM] = advance_bursts(before[:, BURSTS_FROM:RISES_FROM], rows)
    rises = advance_rises(before[:, RISES_FROM:RESTARTS_FROM], rows)
    after[:, RISES_FROM:RESTARTS_FROM] = rises
    after[:, RESTARTS_FROM:SLOWDOWNS_FROM] = advance_restarts(
        before[:, RESTARTS_FROM:SLOWDOWNS_FROM], rows, of_services(rises, ABOVE)
    )
    after[:, SLOWDOWNS_FROM:] = advance_slowdowns(before[:, SLOWDOWNS_FROM:], rows)
    return after


def input_mask(inputs: Any) -> Any:
    """(lanes, FLAT_COUNT) bool: which flat actions would be accepted; the last one is to wait."""
    return action_mask(inputs[:, :HISTORY_COUNT])[:, : WAIT * layout.SERVICE_COUNT + 1]


class Tape:
    """The inputs of one stream of observations; begins anew by itself with an episode."""

    def __init__(self) -> None:
        self.inputs = blank_inputs(1)

    def after(self, observation: SREObservation) -> Any:
        """(1, INPUT_COUNT) float32. The first observation is that of an episode's reset."""
        self.inputs = advance_inputs(self.inputs, row_of(observation, trace_edges=True)[None])
        return self.inputs
