"""What a learner without memory gets of the past: features, and a tape of one service's last steps.

Bursts of a flap differ in their rhythm, which averages and counters blur. The tape keeps it: the
last TAPE_STEPS readings of the payment gateway, the service that flaps, and what was done to it.
Equal rows give equal bits, as those of `features` do: values are scaled by powers of 2, and moved.
"""

from typing import Any

import numpy as np

from sre_autopilot.history import row_layout as layout
from sre_autopilot.history.features import (
    BLANK,
    DONE_NOW,
    HISTORY_COUNT,
    SCALES,
    WAIT,
    action_mask,
    advance,
    block,
)
from sre_autopilot.history.rows import row_of
from sre_autopilot.models import SREObservation
from sre_autopilot.world.topology import Service

TAPED = tuple(Service).index(Service.PAYMENT_GATEWAY)
TAPE_STEPS = 16
"""Two of the longest periods of a flap."""
TAPE_WIDTH = len(SCALES) + WAIT
"""Of a step: the scaled metrics, MISSING where one did not come, and which action was done."""
TAPE_COUNT = TAPE_STEPS * TAPE_WIDTH
INPUT_COUNT = HISTORY_COUNT + TAPE_COUNT
_METRICS = np.arange(len(SCALES)) * layout.SERVICE_COUNT + TAPED
_DONE = np.arange(WAIT) * layout.SERVICE_COUNT + TAPED
_SCALES = np.array(SCALES, np.float32)
_BLANK_STEP = np.array([layout.MISSING] * len(SCALES) + [0.0] * WAIT, np.float32)
_BLANK_TAPE = np.tile(_BLANK_STEP, TAPE_STEPS)


def blank_inputs(lanes: int) -> Any:
    """(lanes, INPUT_COUNT) float32: before the first row."""
    return np.tile(np.append(BLANK, _BLANK_TAPE), (lanes, 1))


def advance_inputs(before: Any, rows: Any) -> Any:
    """(lanes, INPUT_COUNT) float32 after `rows`, a new array: features, then the newest step first.

    before: what this returned for the rows before. rows: (lanes, FEATURE_COUNT) float32.
    """
    after = np.empty((len(rows), INPUT_COUNT), np.float32)
    features = after[:, :HISTORY_COUNT]
    features[:] = advance(before[:, :HISTORY_COUNT], rows)
    begins = rows[:, layout.STEP_FEATURE, None] == 0.0
    earlier = before[:, HISTORY_COUNT : INPUT_COUNT - TAPE_WIDTH]
    tape = after[:, HISTORY_COUNT:]
    tape[:, TAPE_WIDTH:] = np.where(begins, _BLANK_TAPE[TAPE_WIDTH:], earlier)
    metrics = rows[:, _METRICS]
    tape[:, : len(SCALES)] = np.where(metrics >= 0.0, metrics * _SCALES, layout.MISSING)
    tape[:, len(SCALES) : TAPE_WIDTH] = block(features, DONE_NOW)[:, _DONE]
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
        self.inputs = advance_inputs(self.inputs, row_of(observation)[None])
        return self.inputs
