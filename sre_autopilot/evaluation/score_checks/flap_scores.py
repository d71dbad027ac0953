"""What the rules let an agent score on a known flap, by when and how it begins. Pure; vectorised.

Costs, cures, recovery and grading are exact. SLA is charged by the chance that two calls or more
fail in a window, with Poisson calls and none counted late; a stall that fails none is free.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from chaos.faults.flapping_network import FlappingNetwork
from sre_autopilot import grading
from sre_autopilot.policies.belief_filter.flap_grid import (
    CAUSES,
    NOISY,
    ROLLOUT,
    STALE,
    burnt_pct,
    flap_grid,
    lost_share,
)
from sre_autopilot.simulator import parameters
from sre_autopilot.world.topology import JOURNEY_SHARES, Journey, Service
from sre_autopilot.world.vocabulary import (
    ACTION_COSTS,
    BREAKER_STEPS,
    MAX_STEPS,
    SCALE_UP_STEPS,
    ActionName,
)

LOSSES, BURNS = 12, 8
"""Points of the grid over the share lost, and over what a neighbour burns."""
PAYMENT_AT = list(Service).index(Service.PAYMENT_GATEWAY)
CHECKOUT = list(JOURNEY_SHARES).index(Journey.CHECKOUT)
"""The one journey that calls the payment gateway, by its place in `Parameters.arrivals`."""
FIRST_ACTIONS = (
    ActionName.RESTART,
    ActionName.CIRCUIT_BREAK,
    ActionName.SCALE_UP,
    ActionName.ROLLBACK,
)
RESTART_COST, BREAK_COST, SCALE_UP_COST, ROLLBACK_COST = (ACTION_COSTS[a] for a in FIRST_ACTIONS)
"""Costs in units of budget."""
ONCE_WRONG = 1.0 - grading.INEFFECTIVE_PENALTY
"""What is left of the root-cause term after one action that did not help."""
FIRST = np.arange(1, MAX_STEPS + 1)
"""Steps that the first action can be taken at."""
STEPS = np.arange(2 * MAX_STEPS)
"""As far ahead as a cure may lie."""
# As the grader counts: every service in every window, the entry ENTRY_COUNTS times.
_COUNTED = len(Service) - 1 + grading.ENTRY_COUNTS
PER_WINDOW = grading.SPAN * grading.WEIGHTS["sla"] / MAX_STEPS / _COUNTED
"""Points of one service out of SLA in one window."""
FAILED_CALLS = (1 + 1 + grading.ENTRY_COUNTS) * PER_WINDOW
"""Points that failing payments cost a window: payment, the order service above it, the entry."""
DRAINED = BREAKER_STEPS * PER_WINDOW
"""Points that an open breaker costs: payment alone, for its callers have a fallback."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Flaps:
    """Faults as arrays, one element (of `down`: one row) a fault.

    lost: share of calls lost in a burst.
    period, burst, phase: in steps.
    burnt_pct: CPU that a neighbour burns, percent of the limit.
    chance: prior probability.
    down: (faults, STEPS): whether the fault is in a burst.
    """

    cause: NDArray[np.int_]
    lost: Array
    period: Array
    burst: Array
    phase: Array
    burnt_pct: Array
    chance: Array
    down: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        turn = (STEPS + self.phase[:, None]) % self.period[:, None]
        object.__setattr__(self, "down", turn < self.burst[:, None])

    @classmethod
    def possible(cls) -> "Flaps":
        """The grid of all faults of the hard tier; their chances add up to 1."""
        cause, lost, period, burst, phase, burnt, chance = flap_grid(LOSSES, BURNS).T
        return cls(cause.astype(int), lost, period, burst, phase, burnt, chance)

    @classmethod
    def drawn(cls, seed: int) -> "Flaps":
        """The fault of the hard tier with that seed."""
        fault = FlappingNetwork.draw(seed)
        cause, flap = CAUSES.index(fault.cause), fault.flap
        lost, burnt = lost_share(cause, flap.loss_share), burnt_pct(fault.cpu_factor)
        rhythm = flap.period_steps, flap.burst_steps, flap.phase_steps
        values = (lost, *rhythm, burnt, 1.0)
        return cls(np.array([cause]), *(np.array([float(value)]) for value in values))


@dataclass(frozen=True, slots=True)
class Traffic:
    """Of the payment gateway, as fitted: calls a window, and CPU in percent of its limit."""

    calls: float
    cpu_idle: float
    cpu_call: float
    cpu_lost: float
    cpu_spread: float

    @classmethod
    def fitted(cls, backend: str) -> "Traffic":
        """Raises UnknownName where the simulator is not fitted to the backend."""
        p = parameters.load(backend)
        return cls(
            calls=float(p.arrivals[CHECKOUT]),
            cpu_idle=float(p.cpu_idle_pct[PAYMENT_AT]),
            cpu_call=float(p.cpu_call_pct[PAYMENT_AT]),
            cpu_lost=float(p.cpu_lost_pct[PAYMENT_AT]),
            cpu_spread=float(p.cpu_pct[PAYMENT_AT].std()),
        )

    def out_of_sla(self, share: Array | float) -> Array:
        """Chance that a window that loses `share` of its calls misses its SLA.

        That is P(two or more fail); failures are Poisson with mean m = calls * share, so that it is
        1 - exp(-m) (1 + m).
        """
        failed = self.calls * np.asarray(share)
        chance: Array = 1.0 - np.exp(-failed) * (1.0 + failed)
        return chance


def scores_after(flaps: Flaps, traffic: Traffic) -> Array:
    """Best score of each fault, (faults, steps of the first action from 1, FIRST_ACTIONS).

    Everything is known after that action, and the rest is played as well as the rules allow.
    """
    scores_by_fault = np.zeros((len(flaps.cause), len(FIRST), len(FIRST_ACTIONS)))
    down = flaps.down
    cost = FAILED_CALLS * traffic.out_of_sla(flaps.lost)[:, None]
    # Points that bursts have cost by each step; the window of reset is not graded.
    spoilt = np.cumsum(np.where(down & (STEPS > 0), cost, 0.0), axis=1)
    restarted = FAILED_CALLS * float(traffic.out_of_sla(1.0))
    for cause, rule in ((STALE, _stale), (ROLLOUT, _rollout), (NOISY, _noisy)):
        rows = flaps.cause == cause
        if not rows.any():
            continue
        for action, scores in enumerate(rule(down[rows], spoilt[rows], restarted)):
            scores_by_fault[rows, :, action] = scores
    return scores_by_fault


def _stale(down: NDArray[np.bool_], spoilt: Array, restarted: float) -> tuple[Array, ...]:
    """A stale connection. As in the next two, scores are in the order of FIRST_ACTIONS.

    spoilt: points that bursts have cost by each step.
    restarted: points of a window without traffic, of a restart.
    """
    before = spoilt[:, FIRST - 1]
    hit = np.array([_next(row) for row in down])[:, FIRST]

    def again(cost: int, lost: Array) -> Array:
        """After a failure: a restart in the next burst, or behind a breaker."""
        in_burst = _score(ONCE_WRONG, cost + RESTART_COST, hit + 1, lost + restarted)
        freed = FIRST + 1 + BREAKER_STEPS
        drained = _score(ONCE_WRONG, cost + BREAK_COST + RESTART_COST, freed, lost + DRAINED)
        return np.maximum(in_burst, drained)

    at_once = _score(1.0, RESTART_COST, FIRST + 1, before + restarted)
    return (
        # A restart cures in a burst, or behind a breaker (`FlappingNetwork.on_action`).
        np.where(down[:, FIRST], at_once, again(RESTART_COST, before + restarted)),
        _score(1.0, BREAK_COST + RESTART_COST, FIRST + BREAKER_STEPS, before + DRAINED),
        again(SCALE_UP_COST, before),
        _score(grading.ROLLBACK_VALUE, ROLLBACK_COST, FIRST, before),
    )


def _rollout(_down: NDArray[np.bool_], spoilt: Array, restarted: float) -> tuple[Array, ...]:
    """A bad rollout; while a standby starts for a scale-up, a rollback is refused."""
    before, grown = spoilt[:, FIRST - 1], spoilt[:, FIRST + SCALE_UP_STEPS - 1]
    return (
        _score(ONCE_WRONG, RESTART_COST + ROLLBACK_COST, FIRST + 1, before + restarted),
        _score(ONCE_WRONG, BREAK_COST + ROLLBACK_COST, FIRST + BREAKER_STEPS, before + DRAINED),
        _score(ONCE_WRONG, SCALE_UP_COST + ROLLBACK_COST, FIRST + SCALE_UP_STEPS, grown),
        _score(1.0, ROLLBACK_COST, FIRST, before),
    )


def _noisy(_down: NDArray[np.bool_], spoilt: Array, restarted: float) -> tuple[Array, ...]:
    """A noisy neighbour: a scale-up cures once the second replica serves."""
    before, grown = spoilt[:, FIRST - 1], spoilt[:, FIRST + SCALE_UP_STEPS - 1]
    later = FIRST + 1 + SCALE_UP_STEPS
    # The window of the restart itself is charged as `restarted`, that of the breaker as DRAINED.
    grown_later = before + spoilt[:, later - 1] - spoilt[:, FIRST]
    behind = before + spoilt[:, later - 1] - spoilt[:, later - 2]
    return (
        _score(ONCE_WRONG, RESTART_COST + SCALE_UP_COST, later, grown_later + restarted),
        _score(ONCE_WRONG, BREAK_COST + SCALE_UP_COST, later, behind + DRAINED),
        _score(1.0, SCALE_UP_COST, FIRST + SCALE_UP_STEPS, grown),
        _score(grading.ROLLBACK_VALUE, ROLLBACK_COST, FIRST, before),
    )


def _next(down: NDArray[np.bool_]) -> NDArray[np.int_]:
    """First step after each that lies in a burst; the last one where none is left."""
    bursts = np.flatnonzero(down)
    following = np.searchsorted(bursts, STEPS, side="right")
    steps: NDArray[np.int_] = np.append(bursts, STEPS[-1])[following]
    return steps


def _score(root_cause: float, cost: int, recovered: NDArray[np.int_], lost: Array) -> Array:
    """As the grader does; `lost` are points of SLA.

    Cures after the last step count too, which can only raise what it says: it stays a bound.
    """
    speed = np.maximum(0.0, 1.0 - recovered / grading.SPEED_STEPS)
    budget = max(0.0, 1.0 - cost / grading.BUDGET_UNITS)
    terms = grading.WEIGHTS["sla"] + grading.WEIGHTS["speed"] * speed
    terms = terms + grading.WEIGHTS["budget"] * budget + grading.WEIGHTS["root_cause"] * root_cause
    score: Array = grading.LOWEST + grading.SPAN * terms - lost
    return score
