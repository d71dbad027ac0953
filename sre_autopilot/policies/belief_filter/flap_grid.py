"""What a flap can be: a grid over cause, share lost, rhythm and CPU burnt, each with its weight.

The ranges are the world's own (`shapes.FLAP_SHAPES`). Reads no observation. Loads NumPy: import it
late.
"""

from itertools import product

import numpy as np

from sre_autopilot.policies.belief_filter.memory_leak import Array, middles
from sre_autopilot.world import shapes
from sre_autopilot.world.vocabulary import FlapCause

CAUSES = tuple(FlapCause)
STALE, ROLLOUT, NOISY, NOTHING = range(4)
"""Causes by number, in the order of CAUSES; the last: that the gateway does not flap."""


def flap_grid(loss_points: int, burn_points: int) -> Array:
    """Rows of cause, share lost, period, burst and phase (steps), CPU burnt (percent), and weight.

    Weights add up to 1: causes, losses, factors and rhythms are drawn uniformly by the fault.
    """
    rows = []
    for cause, shape in enumerate(shapes.FLAP_SHAPES[name] for name in CAUSES):
        losses = middles(*shape.loss_share, loss_points)
        factors = middles(*shape.cpu_factor, burn_points if cause == NOISY else 1)
        periods = range(shape.period_steps[0], shape.period_steps[1] + 1)
        bursts = range(shape.burst_steps[0], shape.burst_steps[1] + 1)
        chance = 1.0 / (len(CAUSES) * len(losses) * len(factors) * len(periods) * len(bursts))
        for loss, factor, period, burst in product(losses, factors, periods, bursts):
            burnt = burnt_pct(float(factor))
            lost = lost_share(cause, float(loss))
            # Every phase of a rhythm is as likely, so that longer periods have more, lighter rows.
            rows += [
                (cause, lost, period, burst, phase, burnt, chance / period)
                for phase in range(period)
            ]
    return np.array(rows)


def lost_share(cause: int, loss_share: float) -> float:
    """Share of calls that a burst really loses.

    A neighbour cannot take more than leaves CPU_FRACTION_MIN, so that the largest losses are out of
    its reach: the inverse of `shapes.cpu_fraction_for`, which has the formula.
    """
    if cause != NOISY:
        return loss_share
    stalled = 1.0 - shapes.cpu_fraction_for(loss_share)
    return max(0.0, stalled - shapes.STALL_FORGIVEN_S / shapes.STALL_CYCLE_S)


def burnt_pct(cpu_factor: float) -> float:
    """CPU that a neighbour burns, percent of the gateway's limit."""
    return max(0.0, (cpu_factor - 1.0) * shapes.NOMINAL_CPU_PCT)
