"""Shapes of the faults: the ranges of their hidden parameters, and the curves that they follow.

Every number here affects scores: a change raises WORLD_VERSION. Ranges are (low, high): floats are
half-open, integers include both ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sre_autopilot.world.topology import CALL_TIMEOUT_S, POOL_SIZE
from sre_autopilot.world.vocabulary import ActionName, FlapCause

OOM_LEAK_MB_PER_STEP = (26.0, 36.0)
"""A healthy process holds 25-45 of its 128 MiB, so the kernel kills it every 3-5 steps."""
OOM_RESTART_CURES = 0.8
"""Probability that one restart of the root cures it."""

LEAK_HELD_BY_DATABASE = 0.5
"""Share of connection leaks inside the database itself; the others are in one of its callers."""
LEAK_FILL_STEPS = (6.0, 9.0)
"""Steps until a pool has no connection left."""
LEAK_HOLDER_MEMORY_MB_PER_STEP = 3.0
"""Memory growth, in MiB a step, of a caller that leaves cursors open."""

PAIR_SHARE = 0.5
"""Share of expert episodes with two faults at once."""


@dataclass(frozen=True, slots=True)
class FlapShape:
    """One cause: its cheap cure, share of calls lost in a burst, lengths of a period and a burst,
    and CPU in a burst against that of a healthy window.

    Only a noisy neighbour adds CPU; with the other causes CPU follows from the lost work.
    """

    cheap_cure: ActionName
    loss_share: tuple[float, float]
    period_steps: tuple[int, int]
    burst_steps: tuple[int, int]
    cpu_factor: tuple[float, float] = (1.0, 1.0)


FLAP_SHAPES: Mapping[FlapCause, FlapShape] = MappingProxyType(
    {
        FlapCause.STALE_CONNECTION: FlapShape(ActionName.RESTART, (0.55, 1.0), (4, 6), (1, 2)),
        FlapCause.BAD_ROLLOUT: FlapShape(ActionName.ROLLBACK, (0.3, 0.8), (4, 6), (1, 3)),
        FlapCause.NOISY_NEIGHBOUR: FlapShape(
            ActionName.SCALE_UP, (0.1, 0.6), (5, 8), (2, 4), (0.9, 3.0)
        ),
    }
)
"""The ranges overlap, so that no single window identifies the cause."""

NOMINAL_CPU_PCT = 8.0
"""CPU of a healthy payment gateway, in percent of its limit."""

STALL_CYCLE_S = 0.5
"""A starved process runs for its share of each cycle and is stopped for the rest of it."""
STALL_FORGIVEN_S = CALL_TIMEOUT_S - 0.045
"""A call that arrives this long before the end of a stall, or later, is still answered in time. The
45 ms are measured: the provider's delay and the work of one call."""
CPU_FRACTION_MIN = 0.07
"""Below this share a backlog builds up, and far more calls are lost than the formula says."""


def held_connections(filled: float) -> int:
    """Connections a leak holds of one pool; `filled` is its age over its fill steps.

    floor(POOL_SIZE * filled^(1/3)), POOL_SIZE at most: steep at first, then flat, so that the
    climb is visible before calls fail. Compared as cubes: a cube root may round differently in
    array code.
    """
    return sum(held**3 <= filled * POOL_SIZE**3 for held in range(1, POOL_SIZE + 1))


def cpu_fraction_for(loss_share: float) -> float:
    """CPU share at which a starved process loses `loss_share` of its calls.

    A stall lasts (1 - f) of a cycle; of the calls that arrive evenly over the cycle, those in its
    first (1 - f) * cycle - forgiven seconds wait too long, so
    lost = 1 - f - forgiven / cycle. A loss beyond reach gives CPU_FRACTION_MIN.
    """
    return max(CPU_FRACTION_MIN, 1.0 - loss_share - STALL_FORGIVEN_S / STALL_CYCLE_S)
