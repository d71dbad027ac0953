"""What trainers may read and agents may not: the hidden faults, and the score still reachable.

For `info` of environments made with `privileged=True`; nothing here gets into an observation.
"""

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np

from sre_autopilot import grading
from sre_autopilot.simulator.batch import Engine
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.simulator.rules.actions import COSTS, INEFFECTIVE
from sre_autopilot.simulator.rules.observation import TOTAL_WEIGHT
from sre_autopilot.world.vocabulary import MAX_STEPS

NOTHING = -1
"""Root and cause of a fault that has none."""
_SINGLE = (
    layout.STEP, layout.DONE, layout.COST, layout.TRUE_STREAK, layout.MISSED_WEIGHT,
    layout.PENALTY, layout.SCORE, layout.BREAK_NOW, layout.BREAK_1_AGO,
)  # fmt: skip
_OF_FAULT = (
    layout.KIND, layout.ROOT, layout.CAUSE, layout.CHEAP_CURE, layout.CURED_AT, layout.CURED_VALUE,
)  # fmt: skip
_CHOICES = np.array([*product((False, True), repeat=layout.MAX_FAULTS)])[:, None]
"""Which faults to cure: with most of the budget spent, the best may be to leave one alone."""
_FIELDS = [
    *_SINGLE,
    *(
        layout.FAULT + number * layout.FAULT_WIDTH + field
        for field in _OF_FAULT
        for number in range(layout.MAX_FAULTS)
    ),
]


def hidden_info(engine: Engine) -> dict[str, Any]:
    """The truth about every lane, a row for each; faults have a column each, MAX_FAULTS of them.

    fault_kind: (lanes, faults) int8, by place in `FaultKind`, 0 where there is none.
    fault_root: by place in `Service`, and fault_cause: by place in `FlapCause`; NOTHING for none.
    fault_cured: bool, whether its cure works already.
    potential: (lanes,) float64, see `potential`.
    """
    values = engine.state(_FIELDS)
    single = dict(zip(_SINGLE, values.T, strict=False))
    by_fault = values[:, len(_SINGLE) :].reshape(len(values), len(_OF_FAULT), layout.MAX_FAULTS)
    faults = dict(zip(_OF_FAULT, by_fault.swapaxes(0, 1), strict=True))
    kind = faults[layout.KIND]
    root = np.where(kind != layout.NO_FAULT, faults[layout.ROOT], NOTHING)
    cause = np.where(kind == layout.FLAPPING_NETWORK, faults[layout.CAUSE], NOTHING)
    return {
        "fault_kind": kind.astype(np.int8),
        "fault_root": root.astype(np.int8),
        "fault_cause": cause.astype(np.int8),
        "fault_cured": faults[layout.CURED_AT] <= single[layout.STEP][:, None],
        "potential": potential(single, faults),
    }


def potential(single: Mapping[int, Any], faults: Mapping[int, Any]) -> Any:
    """The highest score that can still be reached: that of an agent that knows the fault, is
    lucky, and cures it cheaply from the next step on. At an episode's end, the score itself.

    single: (lanes,) by row of the lane; faults: (lanes, MAX_FAULTS) by row of the fault.
    An upper bound that never rises while an episode lasts. The terms are those of `grading.grade`.
    """
    reachable = _reachable(single, faults, _CHOICES).max(axis=0)
    return np.where(single[layout.DONE] > 0.0, single[layout.SCORE], reachable)


def _reachable(single: Mapping[int, Any], faults: Mapping[int, Any], choices: Any) -> Any:
    """(choices, lanes): the highest score where those faults are cured that are chosen.

    choices: (choices, 1, MAX_FAULTS) flags.
    """
    step, exists = single[layout.STEP], faults[layout.KIND] != layout.NO_FAULT
    uncured = exists & (faults[layout.CURED_AT] >= layout.NEVER)
    cures = uncured & choices
    count, left = exists.sum(axis=-1), (uncured & ~choices).sum(axis=-1)
    cost = single[layout.COST] + np.where(cures, _cheap_costs(faults), 0.0).sum(axis=-1)
    cured_at = np.where(exists & ~uncured, faults[layout.CURED_AT], 0.0).max(axis=1)
    # One action a step, so that each fault that is cured takes one more.
    last_cure = np.maximum(cured_at, np.where(cures.any(-1), step + cures.sum(axis=-1), 0.0))
    streak = single[layout.TRUE_STREAK]
    recovered_at = np.where(streak > 0.0, step + 1.0 - streak, np.maximum(step + 1.0, last_cure))
    value = np.where(cures, 1.0, np.where(uncured, 0.0, faults[layout.CURED_VALUE]))
    cause = np.where(count > 0, (value * exists).sum(axis=-1) / np.maximum(1, count), 1.0)
    penalty = single[layout.PENALTY] - _refund(single, faults, cures)
    speed = np.where(left > 0, 0.0, np.maximum(0.0, 1.0 - recovered_at / grading.SPEED_STEPS))
    budget = 1.0 - np.minimum(1.0, cost / grading.BUDGET_UNITS)
    terms = {
        "sla": 1.0 - single[layout.MISSED_WEIGHT] / (MAX_STEPS * TOTAL_WEIGHT),
        "speed": np.where(count > 0, speed, 1.0),
        "budget": budget * (1.0 - grading.UNCURED_PENALTY * left / np.maximum(1, count)),
        "root_cause": np.maximum(0.0, cause - penalty),
    }
    share = sum(grading.WEIGHTS[term] * of_term for term, of_term in terms.items())
    return grading.LOWEST + grading.SPAN * share


def _cheap_costs(faults: Mapping[int, Any]) -> Any:
    return COSTS[faults[layout.CHEAP_CURE].astype(np.int64)]


def _refund(single: Mapping[int, Any], faults: Mapping[int, Any], cures: Any) -> Any:
    """Penalty that a cure in the next step takes back, where a circuit break was to drain."""
    broken = np.stack([single[layout.BREAK_NOW], single[layout.BREAK_1_AGO]], 1)[:, :, None]
    restartable = cures & (faults[layout.CHEAP_CURE] == layout.RESTART)
    drains = restartable[..., None, :] & (broken == faults[layout.ROOT][:, None, :] + 1.0)
    return INEFFECTIVE * drains.any(axis=-1).sum(axis=-1)
