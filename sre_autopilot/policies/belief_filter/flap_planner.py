"""What to do about a flap: orders in which to try the cures, and what each is expected to lose.

Losses are points of score, against a fault that is cured at once and free of charge. A plan tries
cure after cure until one works; a failed one costs its penalty, and is noticed NOTICED steps later.
Loads NumPy: import it late.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sre_autopilot.grading import SPEED_STEPS
from sre_autopilot.models import SREAction, SREObservation
from sre_autopilot.policies.belief_filter.action_log import ActionLog
from sre_autopilot.policies.belief_filter.flap_grid import NOISY, NOTHING, ROLLOUT, STALE
from sre_autopilot.policies.belief_filter.flapping import PAYMENT, FlapBelief, cpu_chances
from sre_autopilot.policies.belief_filter.memory_leak import LAGS, Array
from sre_autopilot.policies.belief_filter.score_constants import (
    INEFFECTIVE,
    NOT_CHEAP,
    SPEED_DELAY,
    UNIT,
    WRONG,
)
from sre_autopilot.world.vocabulary import ACTION_COSTS, BREAKER_STEPS, SCALE_UP_STEPS, ActionName

NOTICED = 6.0
"""Steps from a cure that failed until it is seen to have failed: a period of a flap, about."""
SLA_DELAY = 0.003
"""Points that the windows out of SLA cost a step of a flap, on average over its bursts."""
AHEAD = 8
"""Steps that it looks ahead for a burst: the longest period."""
LOOK_CALLS, LOOK_CPU_PCT = 6, np.arange(3.0, 36.0, 3.0)
"""What one more burst may show: how many of so many calls are lost, and CPU."""
IMPOSSIBLE, SURELY_NOTHING = 1.0, 0.8
"""Loss of a plan that no restart is left for; probability of nothing above which it waits."""

DRAIN, IN_BURST, SCALE, ROLL_BACK = range(4)
FIRST_ACTIONS = (
    ActionName.CIRCUIT_BREAK,
    ActionName.RESTART,
    ActionName.SCALE_UP,
    ActionName.ROLLBACK,
)
CURED_CAUSE = (STALE, STALE, NOISY, ROLLOUT)
PLANS = (
    (ROLL_BACK,),
    (SCALE, ROLL_BACK),
    (DRAIN, ROLL_BACK),
    (IN_BURST, ROLL_BACK),
    (DRAIN, SCALE, ROLL_BACK),
    (IN_BURST, SCALE, ROLL_BACK),
    (SCALE, DRAIN, ROLL_BACK),
    (SCALE, IN_BURST, ROLL_BACK),
)
"""A rollback always cures, so that each plan ends with it."""


class FlapPlanner:
    """Weighs the plans by the probabilities of a belief."""

    def __init__(self, flap: FlapBelief) -> None:
        self._flap = flap
        # Hypotheses that differ in rhythm alone look alike in a burst: one row for all of them.
        looks = np.column_stack([flap.cause, flap.loss, flap.burnt])
        kinds, self._kind = np.unique(looks, axis=0, return_inverse=True)
        self._chances = _look_chances(flap, kinds)
        self._cause = kinds[:, 0].astype(int)

    def never_changed(self) -> tuple[NDArray[Any], ...]:
        """Arrays that it never writes into."""
        return self._kind, self._chances, self._cause

    def following(self, action_log: ActionLog) -> SREAction | None:
        """The restart behind a breaker that was opened for it; None where none was."""
        if not action_log.did(ActionName.CIRCUIT_BREAK, PAYMENT):
            return None
        return SREAction(action=ActionName.RESTART, service_id=PAYMENT)

    def causes(self) -> Array:
        """Probability of each cause, uncured; the last: that there is nothing to cure."""
        counts = np.bincount(self._flap.cause, self._uncured(), minlength=NOTHING + 1)
        causes: Array = counts.astype(float)
        causes[NOTHING] = max(0.0, 1.0 - float(causes.sum()))
        return causes

    def best(self, observation: SREObservation, action_log: ActionLog) -> SREAction | None:
        """The action to take now; None to wait."""
        causes = self.causes()
        if causes[NOTHING] > SURELY_NOTHING:
            return None
        burst = self._burst_in(action_log)
        losses = self._losses(
            action_log.step, burst, can_restart=observation.remaining_restarts > 0
        )
        expected = losses @ causes
        chosen = int(expected.argmin())
        if expected[chosen] >= self._if_waiting(losses, action_log):
            return None
        first = PLANS[chosen][0]
        # The plan waits for its burst: it is judged anew at every step until then.
        if first == IN_BURST and burst[0] > 1:
            return None
        return SREAction(action=FIRST_ACTIONS[first], service_id=PAYMENT)

    def _uncured(self) -> Array:
        """Weight of each hypothesis; 0 for those that an action has cured."""
        weights: Array = self._flap.weights.sum(axis=1) * self._flap.uncured()
        return weights

    def _losses(self, step: int, burst: tuple[int, float], *, can_restart: bool) -> Array:
        """Of each plan (rows), by cause and where there is nothing to cure (columns).

        burst: steps until the restart in a burst, and the chance that it is one.
        """
        delay = _delay(step)
        steps, sure = burst
        missed = UNIT + INEFFECTIVE + NOTICED * delay
        # By cure, in the order of FIRST_ACTIONS: what it loses where it works, and where it fails.
        worked = (
            2 * UNIT + BREAKER_STEPS * (delay + SLA_DELAY),
            UNIT + steps * delay + (1.0 - sure) * missed,
            ACTION_COSTS[ActionName.SCALE_UP] * UNIT + SCALE_UP_STEPS * delay,
            ACTION_COSTS[ActionName.ROLLBACK] * UNIT,
        )
        failed = (
            missed + UNIT + INEFFECTIVE + BREAKER_STEPS * SLA_DELAY,
            missed + (steps - 1) * delay,
            missed + UNIT,
            # A rollback never fails.
            0.0,
        )
        rows = [[_loss(plan, c, worked, failed) for c in (STALE, ROLLOUT, NOISY)] for plan in PLANS]
        # Without a fault every action is one on a service that is not the cause.
        needless = [worked[plan[0]] + WRONG for plan in PLANS]
        losses = np.column_stack([np.array(rows), needless])
        if not can_restart:
            losses[[DRAIN in plan or IN_BURST in plan for plan in PLANS]] = IMPOSSIBLE
        return losses

    def _if_waiting(self, losses: Array, action_log: ActionLog) -> float:
        """Expected loss of looking at one more burst and following what is best by then.

        Sum over the outcomes of that look of the least, over plans, of the sum over causes of
        P(cause, outcome) * loss: the preposterior analysis of Raiffa and Schlaifer ("Applied
        statistical decision theory", 1961).
        """
        kinds = np.bincount(self._kind, self._uncured(), minlength=len(self._cause))
        # (kinds, outcomes): the probability of a kind and of what its next burst looks like.
        joint = kinds[:, None] * self._chances
        by_cause = np.array([joint[self._cause == c].sum(axis=0) for c in range(NOTHING)])
        after = (losses[:, :NOTHING] @ by_cause).min(axis=0).sum()
        return float(after + kinds.sum() * _delay(action_log.step) * self._look_in(action_log))

    def _look_in(self, action_log: ActionLog) -> float:
        """Expected steps until one more burst is seen: the sum of P(none seen so far)."""
        left = self._flap.weights * self._flap.uncured()[:, None]
        total = max(1e-12, float(left.sum()))
        steps = 0.0
        for ahead in range(1, AHEAD + 1):
            steps += float(left.sum()) / total
            for lag in LAGS:
                left[:, lag] *= ~self._down(action_log.step + ahead - int(lag), action_log)
        return steps

    def _down(self, step: int, action_log: ActionLog) -> NDArray[np.bool_]:
        flap, since = self._flap, max([0, *action_log.restarted_at[PAYMENT]])
        return np.where(flap.cause == ROLLOUT, flap.down(step, since), flap.down(step))

    def _burst_in(self, action_log: ActionLog) -> tuple[int, float]:
        """In how many steps a restart would best hit a burst of a stale connection; how surely."""
        # Other causes are not cured by a restart, in a burst or out of it.
        stale = self._uncured() * (self._flap.cause == STALE)
        total = max(1e-12, float(stale.sum()))
        ahead = range(1, AHEAD + 1)
        sure = [float(stale @ self._flap.down(action_log.step + s)) / total for s in ahead]
        delay = _delay(action_log.step)
        missed = UNIT + INEFFECTIVE + NOTICED * delay
        lost = [s * delay + (1.0 - p) * missed for s, p in zip(ahead, sure, strict=True)]
        best = int(np.argmin(lost))
        return best + 1, sure[best]


def _loss(
    plan: tuple[int, ...], cause: int, worked: tuple[float, ...], failed: tuple[float, ...]
) -> float:
    """What a plan loses if `cause` is the cause."""
    lost = 0.0
    for cure in plan:
        if CURED_CAUSE[cure] == cause:
            return lost + worked[cure]
        if cure == ROLL_BACK:
            return lost + worked[cure] + NOT_CHEAP
        lost += failed[cure]
    raise AssertionError("every plan ends with a rollback")


def _delay(step: int) -> float:
    return SLA_DELAY + (SPEED_DELAY if step < SPEED_STEPS else 0.0)


def _look_chances(flap: FlapBelief, kinds: Array) -> Array:
    """Chance of all that a burst may show (columns), by cause, loss and CPU burnt (rows)."""
    cause, loss, burnt = kinds.T
    lost = np.arange(LOOK_CALLS + 1)
    # Binomial in the calls lost, times a normal in CPU on a grid, normalised: one row a kind.
    ways = np.array([math.comb(LOOK_CALLS, int(k)) for k in lost])
    rates = ways * loss[:, None] ** lost * (1.0 - loss[:, None]) ** (LOOK_CALLS - lost)
    cpu = cpu_chances(LOOK_CPU_PCT, flap.cpu_pct(cause.astype(int), loss, burnt)[:, None])
    cpu /= cpu.sum(axis=1, keepdims=True)
    both: Array = (rates[:, :, None] * cpu[:, None, :]).reshape(len(kinds), -1)
    return both
