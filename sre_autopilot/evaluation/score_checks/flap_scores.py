"""What the rules let one score on a known flap, by when and how one begins. Vectorised; pure.

Costs, cures, recovery and grading are exact. SLA is charged by the chance that two calls or more
fail in a window, calls being Poisson and none counted late; a stall that fails none is free.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from chaos.faults.flapping_network import FlappingNetwork
from sre_autopilot import grading
from sre_autopilot.policies.belief_filter.flapping import (
    CAUSES,
    NOISY,
    ROLLOUT,
    STALE,
    burnt_pct,
    flap_grid,
    lost_share,
)
from sre_autopilot.simulator import parameters
from sre_autopilot.simulator.rules.window_arrays import PAYMENT
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import (
    ACTION_COSTS,
    BREAKER_STEPS,
    MAX_STEPS,
    SCALE_UP_STEPS,
    ActionName,
)

LOSSES, BURNS = 12, 8
"""Points of the grid over the share lost, and over what a neighbour burns."""
CHECKOUTS = 2
"""Of the three journeys, the one that pays."""
ACTIONS = (ActionName.RESTART, ActionName.CIRCUIT_BREAK, ActionName.SCALE_UP, ActionName.ROLLBACK)
RESTART, BREAK, SCALE_UP, ROLLBACK = (ACTION_COSTS[action] for action in ACTIONS)
ONCE_WRONG = 1.0 - grading.INEFFECTIVE_PENALTY
T = np.arange(1, MAX_STEPS + 1)
"""Steps that the first action can be taken at."""
STEPS = np.arange(2 * MAX_STEPS)
"""As far as a cure may lie ahead."""
PER_WINDOW = grading.SPAN * grading.WEIGHTS["sla"] / MAX_STEPS / (len(Service) + 1)
"""Points of one service out of SLA in one window; the gateway counts twice."""
FAILED_CALLS = (1 + 1 + grading.ENTRY_COUNTS) * PER_WINDOW
"""Points that failing payments cost a window: theirs, the orders' above, the gateway's."""
DRAINED = BREAKER_STEPS * PER_WINDOW
"""Points that an open breaker costs: callers have a fallback."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Flaps:
    """Faults as arrays: `lost` is the share of calls, `chance` what each is a priori;
    `down` whether a fault (row) is in a burst at a step (column).
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
        cause, lost, period, burst, phase, burnt, chance = flap_grid(LOSSES, BURNS).T
        return cls(cause.astype(int), lost, period, burst, phase, burnt, chance)

    @classmethod
    def drawn(cls, seed: int) -> "Flaps":
        """The one of the hard tier."""
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
    def fitted(cls, backend: str = "process") -> "Traffic":
        p = parameters.load(backend)
        return cls(
            calls=float(p.arrivals[CHECKOUTS]),
            cpu_idle=float(p.cpu_idle_pct[PAYMENT]),
            cpu_call=float(p.cpu_call_pct[PAYMENT]),
            cpu_lost=float(p.cpu_lost_pct[PAYMENT]),
            cpu_spread=float(p.cpu_pct[PAYMENT].std()),
        )

    def broken(self, share: Array | float) -> Array:
        """Chance that a window that loses `share` misses its SLA: that two calls fail."""
        failed = self.calls * np.asarray(share)
        found: Array = 1.0 - np.exp(-failed) * (1.0 + failed)
        return found


def scores_after(flaps: Flaps, traffic: Traffic) -> Array:
    """Best score of each fault (rows) by step of the first action (columns, from 1) and ACTIONS.

    Everything is known after that action, and the rest is played as well as the rules let it.
    """
    found = np.zeros((len(flaps.cause), len(T), len(ACTIONS)))
    down = flaps.down
    broken = FAILED_CALLS * traffic.broken(flaps.lost)[:, None]
    spoilt = np.cumsum(np.where(down & (STEPS > 0), broken, 0.0), axis=1)
    out = FAILED_CALLS * float(traffic.broken(1.0))
    for cause, rule in ((STALE, _stale), (ROLLOUT, _rollout), (NOISY, _noisy)):
        rows = flaps.cause == cause
        if not rows.any():
            continue
        for action, scores in enumerate(rule(down[rows], spoilt[rows], out)):
            found[rows, :, action] = scores
    return found


def _stale(down: NDArray[np.bool_], spoilt: Array, out: float) -> tuple[Array, ...]:
    """A stale connection. `spoilt` are the points that bursts have cost by each step, `out` those
    of a window held out for a restart. As below, scores are in the order of ACTIONS.
    """
    before = spoilt[:, T - 1]
    hit = np.array([_next(row) for row in down])[:, T]

    def again(cost: int, lost: Array) -> Array:
        """After a failure: a restart in the next burst, or behind a breaker."""
        in_burst = _score(ONCE_WRONG, cost + RESTART, hit + 1, lost + out)
        drained = _score(ONCE_WRONG, cost + BREAK + RESTART, T + 1 + BREAKER_STEPS, lost + DRAINED)
        return np.maximum(in_burst, drained)

    at_once = _score(1.0, RESTART, T + 1, before + out)
    return (
        np.where(down[:, T], at_once, again(RESTART, before + out)),
        _score(1.0, BREAK + RESTART, T + BREAKER_STEPS, before + DRAINED),
        again(SCALE_UP, before),
        _score(grading.ROLLBACK_VALUE, ROLLBACK, T, before),
    )


def _rollout(_down: NDArray[np.bool_], spoilt: Array, out: float) -> tuple[Array, ...]:
    """A bad rollout; while a standby starts for a scale-up, a rollback is refused."""
    before, grown = spoilt[:, T - 1], spoilt[:, T + SCALE_UP_STEPS - 1]
    return (
        _score(ONCE_WRONG, RESTART + ROLLBACK, T + 1, before + out),
        _score(ONCE_WRONG, BREAK + ROLLBACK, T + BREAKER_STEPS, before + DRAINED),
        _score(ONCE_WRONG, SCALE_UP + ROLLBACK, T + SCALE_UP_STEPS, grown),
        _score(1.0, ROLLBACK, T, before),
    )


def _noisy(_down: NDArray[np.bool_], spoilt: Array, out: float) -> tuple[Array, ...]:
    """A noisy neighbour: a scale-up cures once the second replica serves."""
    before, grown = spoilt[:, T - 1], spoilt[:, T + SCALE_UP_STEPS - 1]
    later = T + 1 + SCALE_UP_STEPS
    grown_later = before + spoilt[:, later - 1] - spoilt[:, T]
    behind = before + spoilt[:, later - 1] - spoilt[:, later - 2]
    return (
        _score(ONCE_WRONG, RESTART + SCALE_UP, later, grown_later + out),
        _score(ONCE_WRONG, BREAK + SCALE_UP, later, behind + DRAINED),
        _score(1.0, SCALE_UP, T + SCALE_UP_STEPS, grown),
        _score(grading.ROLLBACK_VALUE, ROLLBACK, T, before),
    )


def _next(down: NDArray[np.bool_]) -> NDArray[np.int_]:
    """First step after each that lies in a burst; the last one where none is left."""
    bursts = np.flatnonzero(down)
    following = np.searchsorted(bursts, STEPS, side="right")
    found: NDArray[np.int_] = np.append(bursts, STEPS[-1])[following]
    return found


def _score(root_cause: float, cost: int, recovered: NDArray[np.int_], lost: Array) -> Array:
    """As the grader does; `lost` are points of SLA. Cures after the last step count, which
    can only raise what it says.
    """
    speed = np.maximum(0.0, 1.0 - recovered / grading.SPEED_STEPS)
    budget = max(0.0, 1.0 - cost / grading.BUDGET_UNITS)
    terms = grading.WEIGHTS["sla"] + grading.WEIGHTS["speed"] * speed
    terms = terms + grading.WEIGHTS["budget"] * budget + grading.WEIGHTS["root_cause"] * root_cause
    found: Array = grading.LOWEST + grading.SPAN * terms - lost
    return found
