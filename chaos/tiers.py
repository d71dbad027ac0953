"""Which faults an episode hides: a pure function of tier and seed. Applies none of them."""

from collections.abc import Callable
from itertools import count

from chaos.fault import Fault
from chaos.faults import load_fault
from chaos.faults.db_connection_leak import DbConnectionLeak
from chaos.faults.flapping_network import FlappingNetwork
from chaos.faults.noop import NoFault
from chaos.faults.single_oom import SingleOom
from sre_autopilot.world.draws import Stream, choice, uniform
from sre_autopilot.world.shapes import PAIR_SHARE
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import Tier

DrawFaults = Callable[[Tier, int], tuple[Fault, ...]]
"""From tier and seed to the hidden faults of an episode."""

Breakage = SingleOom | DbConnectionLeak | FlappingNetwork
KINDS: tuple[type[Breakage], ...] = (SingleOom, DbConnectionLeak, FlappingNetwork)

TIER_DRAWS = 1 << 32
"""In keys of draws for the tier itself, it stands in place of the number of a fault."""


def draw_faults(tier: Tier, seed: int) -> tuple[Fault, ...]:
    """The hidden faults of an episode: one, on expert one or two."""
    match tier:
        case Tier.EASY:
            return (SingleOom.draw(seed),)
        case Tier.MEDIUM:
            return (DbConnectionLeak.draw(seed),)
        case Tier.HARD:
            return (FlappingNetwork.draw(seed),)
        case Tier.CONTROL:
            return (NoFault.draw(seed),)
        case Tier.EXPERT:
            return _draw_expert(seed)


def drawing(fault: str | None) -> DrawFaults:
    """The tiers' own faults; if `fault` names one, that one on every tier. Raises UnknownName."""
    if fault is None:
        return draw_faults
    only = load_fault(fault)
    return lambda _tier, seed: (only.draw(seed),)


def _draw_expert(seed: int) -> tuple[Fault, ...]:
    """Draws second faults, numbered on, until one acts on other services than the first."""
    u_first, u_pair, u_second = (uniform(seed, Stream.FAULT, TIER_DRAWS, i) for i in range(3))
    first = choice(KINDS, u_first).draw(seed)
    if u_pair >= PAIR_SHARE:
        return (first,)
    taken = _touched(first)
    # A flap is always at the payment gateway; the other kinds fit beside any fault.
    roomy = [k for k in KINDS if k is not FlappingNetwork or FlappingNetwork.root not in taken]
    kind = choice(roomy, u_second)
    drawn = (kind.draw(seed, number) for number in count(1))
    return first, next(fault for fault in drawn if _touched(fault).isdisjoint(taken))


def _touched(fault: Breakage) -> frozenset[Service]:
    """Services that the fault impairs itself; no second fault may act there."""
    if isinstance(fault, DbConnectionLeak):
        return frozenset({fault.database, fault.holder})
    return frozenset({fault.root})
