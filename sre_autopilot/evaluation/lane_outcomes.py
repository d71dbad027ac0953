"""What becomes of the episode of each lane: its score, how it was diagnosed, and what that cost.

The same figures as `diagnosis.Diagnosis` of a record; tests hold both equal.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from sre_autopilot.simulator.rules import state_layout as layout

Floats = np.ndarray[Any, np.dtype[np.float64]]
_FAULTS = range(
    layout.FAULT, layout.FAULT + layout.MAX_FAULTS * layout.FAULT_WIDTH, layout.FAULT_WIDTH
)


class Outcomes(NamedTuple):
    """A value an episode, (episodes,) float64 each; a step that never came is nan.

    recovered_at: first of the healthy windows that end the episode.
    first_action_at: step of the first accepted action that costs anything.
    first_at_cause: 1 where that was on a service that is a cause, else 0; nan without an action.
    detected_at: step of the first such action on a cause.
    actions, cost_units: how many, and what they cost together.
    """

    score: Floats
    recovered_at: Floats
    first_action_at: Floats
    first_at_cause: Floats
    detected_at: Floats
    actions: Floats
    cost_units: Floats

    @classmethod
    def blank(cls, episodes: int) -> "Outcomes":
        """Of episodes that have not begun."""
        never = np.full((5, episodes), np.nan)
        return cls(*never, *np.zeros((2, episodes)))

    def after_step(self, lanes: Sequence[int], x: Floats) -> None:
        """Takes a step of some lanes into account, whose episodes were not over before it.

        x: (all lanes, FIELD_COUNT), the state after the step.
        """
        state = x[lanes]
        step, cost = state[:, layout.STEP], state[:, layout.STEP_COST]
        acted = cost > 0.0
        at_cause = acted & _on_a_cause(state)
        first = acted & np.isnan(self.first_action_at[lanes])
        detected = at_cause & np.isnan(self.detected_at[lanes])
        recovered = state[:, layout.RECOVERED_AT] < layout.NEVER
        for values, happened, value in (
            (self.first_action_at, first, step),
            (self.first_at_cause, first, at_cause),
            (self.detected_at, detected, step),
            (self.recovered_at, recovered, state[:, layout.RECOVERED_AT]),
        ):
            values[lanes] = np.where(happened, value, values[lanes])
        self.score[lanes] = state[:, layout.SCORE]
        self.actions[lanes] += acted
        self.cost_units[lanes] += cost


def _on_a_cause(state: Floats) -> Any:
    """(lanes,) bool: whether the last action was on the root of a fault."""
    acted_on = state[:, layout.ACTED_ON]
    roots = [
        (state[:, fault + layout.KIND] != layout.NO_FAULT)
        & (state[:, fault + layout.ROOT] == acted_on)
        for fault in _FAULTS
    ]
    return np.logical_or.reduce(roots)
