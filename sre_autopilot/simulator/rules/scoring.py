"""Scores a lane by the truth: the SLA of each window, recovery, and the score at the end.

The same rules as `sre_autopilot.grading.grade` of a record, step by step over arrays; tests hold
both equal (tests/sre_autopilot/simulator/rules/test_step.py). Never looks at noisy values.
"""

from typing import Any

import numpy as np

from sre_autopilot import grading
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.simulator.rules.array_ops import (
    accumulate,
    any_lane,
    each_row,
    negate,
    row_constant,
    rule,
    to_float,
    where,
    zeros_like,
)
from sre_autopilot.simulator.rules.observation import TOTAL_WEIGHT, WEIGHTS
from sre_autopilot.simulator.rules.window_arrays import (
    REPLICA_COUNT,
    SERVICE_COUNT,
    Condition,
    Measured,
)
from sre_autopilot.world.sla import ERROR_RATE_LIMIT, FORGIVEN_FAILURES, P99_LIMIT_MS
from sre_autopilot.world.vocabulary import MAX_STEPS, RECOVERY_WINDOWS

_SLA, _SPEED, _BUDGET, _ROOT_CAUSE = (
    grading.WEIGHTS[term] for term in ("sla", "speed", "budget", "root_cause")
)


@rule
def score_window(lane: layout.Lane, c: Condition, out: Measured) -> None:
    """Takes the window of this step into account, and ends the episode where it is over."""
    _keys, x = lane
    step = x[layout.STEP]
    missed_weight = zeros_like(step)
    for s in each_row(SERVICE_COUNT):
        # `world.sla.is_met`, over arrays. A comparison with nan (no calls) is false: SLA met.
        few = out.failed[s] <= FORGIVEN_FAILURES
        p99_ms = where(few, out.answered_p99_ms[s], out.p99_ms[s])
        slow = p99_ms > P99_LIMIT_MS
        # failed / calls > limit, without the division.
        failing = out.failed[s] > ERROR_RATE_LIMIT * out.calls[s]
        missed = (c.breaker_open[s] > 0.0) | slow | (failing & negate(few))
        missed_weight = accumulate(missed_weight, to_float(missed) * row_constant(WEIGHTS, s))
    # The window of step 0 comes before the first action and counts for nobody.
    counted = where(step > 0.0, missed_weight, 0.0)
    x[layout.MISSED_WEIGHT] = x[layout.MISSED_WEIGHT] + counted
    last_cure, faults = 1.0 + zeros_like(step), zeros_like(step)
    for number in range(layout.MAX_FAULTS):
        f = layout.FAULT + number * layout.FAULT_WIDTH
        exists = x[f + layout.KIND] != layout.NO_FAULT
        faults = faults + to_float(exists)
        last_cure = where(exists, np.maximum(last_cure, x[f + layout.CURED_AT]), last_cure)
    healthy = (faults > 0.0) & (step >= last_cure) & (missed_weight == 0.0)
    x[layout.TRUE_STREAK] = where(healthy, x[layout.TRUE_STREAK] + 1.0, 0.0)
    recovered = x[layout.TRUE_STREAK] >= RECOVERY_WINDOWS
    # Recovery is dated back to the first window of the streak.
    x[layout.RECOVERED_AT] = where(recovered, step + 1.0 - RECOVERY_WINDOWS, layout.NEVER)
    x[layout.DONE] = to_float(recovered | (step >= MAX_STEPS))
    x[layout.SCORE] = _score(x)


@rule
def _score(x: Any) -> Any:
    """What `grading.grade` gives if the episode ends now: the score, LOWEST to LOWEST + SPAN."""
    step = x[layout.STEP]
    faults = uncured = cause = zeros_like(step)
    for number in range(layout.MAX_FAULTS):
        f = layout.FAULT + number * layout.FAULT_WIDTH
        exists = x[f + layout.KIND] != layout.NO_FAULT
        cured = x[f + layout.CURED_AT] <= step
        faults = faults + to_float(exists)
        uncured = uncured + to_float(exists & negate(cured))
        cause = cause + where(exists & cured, x[f + layout.CURED_VALUE], 0.0)
    any_fault = faults > 0.0
    recovered = x[layout.RECOVERED_AT] < layout.NEVER
    sla = 1.0 - x[layout.MISSED_WEIGHT] / (MAX_STEPS * TOTAL_WEIGHT)
    # Steps that were not played count as missed, unless the mesh has recovered.
    sla = sla - where(recovered, 0.0, (MAX_STEPS - step) / MAX_STEPS)
    speed = where(recovered, 1.0 - x[layout.RECOVERED_AT] / grading.SPEED_STEPS, 0.0)
    speed = where(any_fault, np.maximum(0.0, speed), 1.0)
    left = 1.0 - np.minimum(1.0, x[layout.COST] / grading.BUDGET_UNITS)
    share = uncured / np.maximum(1.0, faults)
    budget = left - left * grading.UNCURED_PENALTY * share
    cause = where(any_fault, cause / np.maximum(1.0, faults), 1.0) - x[layout.PENALTY]
    terms = _SLA * np.maximum(0.0, sla) + _SPEED * speed + _BUDGET * budget
    total = grading.LOWEST + grading.SPAN * (terms + _ROOT_CAUSE * np.maximum(0.0, cause))
    return np.minimum(grading.LOWEST + grading.SPAN, np.maximum(grading.LOWEST, total))


@rule
def restart_killed(lane: layout.Lane, out: Measured) -> None:
    """Replicas killed in this window start anew for the next; restarted services get traffic."""
    _keys, x = lane
    next_step = x[layout.STEP] + 1.0
    for r in each_row(REPLICA_COUNT):
        killed = out.killed[r] > 0.0
        if any_lane(killed):
            x[layout.STARTED_AT + r] = where(killed, next_step, x[layout.STARTED_AT + r])
            x[layout.LEAKED_MB + r] = where(killed, 0.0, x[layout.LEAKED_MB + r])
        x[layout.STARTED_IN_WINDOW + r] = 0.0
    for s in each_row(SERVICE_COUNT):
        x[layout.OUT_OF_ROTATION + s] = 0.0
