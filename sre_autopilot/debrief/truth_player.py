"""Goes on with the truth known: cures each fault as soon, and as cheaply, as its cure works.

Like the policy `oracle`, over lanes. But where points are gone already, or the cheap cure comes too
late or is refused for good, it rolls back: what is left to lose decides.
"""

from typing import Any

import numpy as np

from sre_autopilot import grading
from sre_autopilot.debrief.replay import Replay
from sre_autopilot.simulator.batch import Engine
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.simulator.rules.actions import COSTS, cure_step, is_refused
from sre_autopilot.simulator.rules.array_ops import RowRange, Rows
from sre_autopilot.simulator.rules.window_arrays import SERVICE_COUNT

AHEAD = 8
"""Steps that it looks ahead for the cheap cure to work: the longest period of a flap."""
SLA_DELAY = 0.003
"""Points that the windows out of SLA cost a step with a fault, about."""
_POINTS = {term: grading.SPAN * weight for term, weight in grading.WEIGHTS.items()}


class TruthPlayer:
    """See `forks.Player`. Reads the hidden state of the lanes."""

    def act(self, engine: Engine, lanes: Any) -> Any:
        return truth_actions(engine.keys[lanes], engine.x[lanes])

    @staticmethod
    def advised(replay: Replay) -> Any:
        """(steps, 2) int64: what it would have done at each step of the episode, from step 1."""
        keys = np.repeat(replay.keys[None], replay.steps, axis=0)
        return truth_actions(keys, replay.x[:-1])


def truth_actions(keys: Any, x: Any) -> Any:
    """(lanes, 2) int64. keys: (lanes, KEY_COUNT); x: (lanes, FIELD_COUNT), after a window."""
    ahead = x.T.copy()
    ahead[layout.STEP] += 1.0
    key_rows, rows = Rows(np.ascontiguousarray(keys.T)), Rows(ahead)
    chosen = np.full((len(x), 2), (layout.WAIT, 0))
    waits = np.ones(len(x), np.bool_)
    for number in range(layout.MAX_FAULTS):
        f = layout.FAULT + number * layout.FAULT_WIDTH
        exists = rows[f + layout.KIND] != layout.NO_FAULT
        root, cheap = rows[f + layout.ROOT], rows[f + layout.CHEAP_CURE]
        delay = np.where(_refused(rows, cheap, root), np.inf, _delay(key_rows, ahead, f))
        rolls_back = (cheap != layout.ROLLBACK) & (_saved_by_rollback(rows, f, delay) > 0.0)
        rolls_back &= ~_refused(rows, np.full(len(x), float(layout.ROLLBACK)), root)
        works_now = cure_step(key_rows, rows, f, cheap) < layout.NEVER
        works_now &= ~_refused(rows, cheap, root)
        acts = waits & exists & (rows[f + layout.CURED_AT] >= layout.NEVER)
        acts &= rolls_back | works_now
        chosen[acts, 0] = np.where(rolls_back, float(layout.ROLLBACK), cheap)[acts]
        chosen[acts, 1] = root[acts]
        waits &= ~acts
    return chosen


def _delay(keys: Rows, ahead: Any, f: int) -> Any:
    """Steps from the next one until the cheap cure has taken hold; inf for not in AHEAD."""
    later, begins = ahead.copy(), ahead[layout.STEP]
    delay = np.full(ahead.shape[1], np.inf)
    for _ in range(AHEAD):
        cured_at = cure_step(keys, Rows(later), f, later[f + layout.CHEAP_CURE])
        delay = np.minimum(delay, np.where(cured_at < layout.NEVER, cured_at - begins, np.inf))
        later[layout.STEP] += 1.0
    return delay


def _saved_by_rollback(x: Rows, f: int, delay: Any) -> Any:
    """Points that a rollback now keeps, against the cheap cure after `delay` steps."""
    step, cheap = x[layout.STEP], x[f + layout.CHEAP_CURE].astype(np.int64)
    left = np.maximum(0.0, grading.BUDGET_UNITS - x[layout.COST])
    spared = np.minimum(left, COSTS[cheap]) - np.minimum(left, COSTS[layout.ROLLBACK])
    faults, value = 0.0 * step, 0.0 * step
    for number in range(layout.MAX_FAULTS):
        g = layout.FAULT + number * layout.FAULT_WIDTH
        faults = faults + (x[g + layout.KIND] != layout.NO_FAULT)
        value = value + x[g + layout.CURED_VALUE]
    share = 1.0 / np.maximum(1.0, faults)
    cause = [
        np.maximum(0.0, share * (value + cured) - x[layout.PENALTY])
        for cured in (1.0, grading.ROLLBACK_VALUE)
    ]
    counted = np.minimum(delay, np.maximum(0.0, grading.SPEED_STEPS - step))
    late = counted * _POINTS["speed"] / grading.SPEED_STEPS + np.minimum(delay, AHEAD) * SLA_DELAY
    never = np.where(np.isinf(delay), cause[0] * _POINTS["root_cause"], 0.0)
    lost = (cause[0] - cause[1]) * _POINTS["root_cause"]
    return spared * _POINTS["budget"] / grading.BUDGET_UNITS + late + never - lost


def _refused(x: Rows, action: Any, service: Any) -> Any:
    """Whether `action` on `service`, which differs from lane to lane, would be refused."""
    by_service = is_refused(x, action, RowRange(0, SERVICE_COUNT))
    return np.take_along_axis(by_service, service.astype(np.int64)[None], axis=0)[0]
