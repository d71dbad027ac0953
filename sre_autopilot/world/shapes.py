"""How faults look: ranges their hidden parameters are drawn from, and the forms they take.

First guesses, to be calibrated on the real mesh; a change here is a new WORLD_VERSION.
Ranges are (low, high): real ones half-open, whole ones with both ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sre_autopilot.world.topology import CALL_TIMEOUT_S, POOL_SIZE
from sre_autopilot.world.vocabulary import ActionName, FlapCause

OOM_LEAK_MB_PER_STEP = (26.0, 36.0)
"""A healthy process holds 25-45 of its 128 MiB, so the kernel kills it every 3-5 steps."""
OOM_RESTART_CURES = 0.8
"""Probability that one restart rids the root of its leak."""

LEAK_HELD_BY_DATABASE = 0.5
"""Share of connection leaks that are the database's own; the others are one of its callers'."""
LEAK_FILL_STEPS = (6.0, 9.0)
"""Steps until a pool has no connection left."""
LEAK_HOLDER_MEMORY_MB_PER_STEP = 3.0
"""Memory that the cursors left open cost the caller that leaves them."""

PAIR_SHARE = 0.5
"""Share of expert episodes with two faults at once."""


@dataclass(frozen=True, slots=True)
class FlapShape:
    """One cause: its cheap cure, share of calls lost in a burst, lengths of a period and a burst,
    and CPU in a burst against that of a healthy window.

    Only a neighbour adds CPU of its own; with the other causes it follows from the lost work.
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
"""The ranges overlap, so that no single window tells the cause."""

NOMINAL_CPU_PCT = 8.0
"""CPU of a healthy payment gateway, in percent of its limit."""

STALL_CYCLE_S = 0.5
"""A starved process runs for its share of each cycle, and stands still for the rest of it."""
STALL_FORGIVEN_S = CALL_TIMEOUT_S - 0.045
"""A call that waits no longer than this is still answered before its caller gives up: measured,
the provider's delay and the work of a call behind it."""
CPU_FRACTION_MIN = 0.07
"""Below this a starved process falls ever further behind, and loses far more than its share."""


def held_connections(filled: float) -> int:
    """Connections a leak holds of one pool; `filled` is its age over its fill steps.

    floor(POOL_SIZE * filled^(1/3)), POOL_SIZE at most: quick at first, then creeping, so that the
    climb is seen before it breaks. Compared as cubes, which rounds alike in every language.
    """
    return sum(held**3 <= filled * POOL_SIZE**3 for held in range(1, POOL_SIZE + 1))


def cpu_fraction_for(loss_share: float) -> float:
    """CPU share at which a starved process loses `loss_share` of its calls.

    A stall lasts (1 - f) of a cycle; of the calls that arrive evenly over the cycle, those in its
    first (1 - f) * cycle - forgiven seconds wait too long, so
    lost = 1 - f - forgiven / cycle. A loss beyond reach gives CPU_FRACTION_MIN.
    """
    return max(CPU_FRACTION_MIN, 1.0 - loss_share - STALL_FORGIVEN_S / STALL_CYCLE_S)
