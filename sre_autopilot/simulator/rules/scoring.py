"""The truth of a lane, judged: SLA, kills, recovery, and at the end the score; as `grader` grades a
record. Laws of `reading`; tests hold them against it.
"""

from typing import Any

import numpy as np

from sre_autopilot import grading
from sre_autopilot.simulator.rules import state_layout as at
from sre_autopilot.simulator.rules.array_ops import each, entry, law, plus, real, some, where
from sre_autopilot.simulator.rules.observation import WEIGHT, WEIGHTS
from sre_autopilot.simulator.rules.window_arrays import REPLICAS, SERVICES, Condition, Measured
from sre_autopilot.world.sla import ERROR_RATE_LIMIT, FORGIVEN_FAILURES, P99_LIMIT_MS
from sre_autopilot.world.vocabulary import MAX_STEPS, RECOVERY_WINDOWS

SLA, SPEED, BUDGET, ROOT_CAUSE = (
    grading.WEIGHTS[term] for term in ("sla", "speed", "budget", "root_cause")
)


@law
def judge(lane: at.Lane, c: Condition, out: Measured) -> None:
    """Takes the window of this step into account, and ends the episode where it is over."""
    _keys, x = lane
    step = x[at.STEP]
    missed = 0.0 * step
    for s in each(SERVICES):
        few = out.failed[s] <= FORGIVEN_FAILURES
        p99_ms = where(few, out.answered_p99_ms[s], out.p99_ms[s])
        slow = p99_ms > P99_LIMIT_MS
        failing = out.failed[s] > ERROR_RATE_LIMIT * out.calls[s]
        missing = (c.breaker_open[s] > 0.0) | slow | (failing & (few ^ True))
        missed = plus(missed, real(missing) * entry(WEIGHTS, s))
    x[at.MISSED] = x[at.MISSED] + where(step > 0.0, missed, 0.0)
    last_cure, faults = 1.0 + 0.0 * step, 0.0 * step
    for number in range(at.FAULTS):
        f = at.FAULT + number * at.FAULT_FIELDS
        there = x[f + at.KIND] != at.NO_FAULT
        faults = faults + real(there)
        last_cure = where(there, np.maximum(last_cure, x[f + at.CURED_AT]), last_cure)
    counts = (faults > 0.0) & (step >= last_cure) & (missed == 0.0)
    x[at.TRUE_STREAK] = where(counts, x[at.TRUE_STREAK] + 1.0, 0.0)
    well = x[at.TRUE_STREAK] >= RECOVERY_WINDOWS
    x[at.RECOVERED_AT] = where(well, step + 1.0 - RECOVERY_WINDOWS, at.NEVER)
    x[at.DONE] = real(well | (step >= MAX_STEPS))
    x[at.SCORE] = _score(x)


@law
def _score(x: Any) -> Any:
    """What `grading.grade` gives were the episode over now."""
    step = x[at.STEP]
    faults = uncured = cause = 0.0 * step
    for number in range(at.FAULTS):
        f = at.FAULT + number * at.FAULT_FIELDS
        there = x[f + at.KIND] != at.NO_FAULT
        cured = x[f + at.CURED_AT] <= step
        faults = faults + real(there)
        uncured = uncured + real(there & (cured ^ True))
        cause = cause + where(there & cured, x[f + at.CURED_VALUE], 0.0)
    any_fault = faults > 0.0
    recovered = x[at.RECOVERED_AT] < at.NEVER
    sla = 1.0 - x[at.MISSED] / (MAX_STEPS * WEIGHT)
    sla = sla - where(recovered, 0.0, (MAX_STEPS - step) / MAX_STEPS)
    speed = where(recovered, 1.0 - x[at.RECOVERED_AT] / grading.SPEED_STEPS, 0.0)
    speed = where(any_fault, np.maximum(0.0, speed), 1.0)
    left = 1.0 - np.minimum(1.0, x[at.COST] / grading.BUDGET_UNITS)
    share = uncured / np.maximum(1.0, faults)
    budget = left - left * grading.UNCURED_PENALTY * share
    cause = where(any_fault, cause / np.maximum(1.0, faults), 1.0) - x[at.PENALTY]
    terms = SLA * np.maximum(0.0, sla) + SPEED * speed + BUDGET * budget
    total = grading.LOWEST + grading.SPAN * (terms + ROOT_CAUSE * np.maximum(0.0, cause))
    return np.minimum(grading.LOWEST + grading.SPAN, np.maximum(grading.LOWEST, total))


@law
def bring_back(lane: at.Lane, out: Measured) -> None:
    """What was killed in this window starts anew for the next; what was held out rejoins."""
    _keys, x = lane
    after = x[at.STEP] + 1.0
    for r in each(REPLICAS):
        killed = out.killed[r] > 0.0
        if some(killed):
            x[at.STARTED_AT + r] = where(killed, after, x[at.STARTED_AT + r])
            x[at.LEAKED_MB + r] = where(killed, 0.0, x[at.LEAKED_MB + r])
        x[at.BEGUN + r] = 0.0
    for s in each(SERVICES):
        x[at.HELD_OUT + s] = 0.0
