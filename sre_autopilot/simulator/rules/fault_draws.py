"""Which faults an episode hides: what `chaos.tiers.draw_faults` draws, with the same keys, by lane.

Tests hold both equal to the bit (tests/sre_autopilot/simulator/rules/test_fault_draws.py). Writes
the rows that `fault_table.encode_faults` writes, and applies no fault.
"""

from typing import Any

import numpy as np

from chaos.tiers import TIER_DRAWS
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.simulator.rules.array_ops import (
    any_lane,
    each_row,
    fold_key,
    lookup,
    rows_from,
    rule,
    seed_key,
    stream_key,
    take,
    to_float,
    to_int,
    uniform_of_key,
    where,
    zeros_like,
)
from sre_autopilot.simulator.rules.window_arrays import PAYMENT, SERVICE_COUNT
from sre_autopilot.world import shapes
from sre_autopilot.world.draws import Stream
from sre_autopilot.world.topology import DATABASES, Service, callers_of
from sre_autopilot.world.vocabulary import ActionName, FlapCause, Tier

_SERVICES, _ACTIONS, _CAUSES = tuple(Service), tuple(ActionName), tuple(FlapCause)
TIERS = tuple(Tier)
"""The number of a tier is its place here."""
_EXPERT = float(TIERS.index(Tier.EXPERT))
_KINDS = {
    Tier.EASY: layout.SINGLE_OOM,
    Tier.MEDIUM: layout.DB_CONNECTION_LEAK,
    Tier.HARD: layout.FLAPPING_NETWORK,
}
_KIND_OF_TIER = np.array([_KINDS.get(tier, layout.NO_FAULT) for tier in TIERS], np.float64)
"""The kind of a tier's one fault."""
_KIND_COUNT = 3.0
"""`chaos.tiers.KINDS`, which have the numbers 1, 2 and 3; the last one is a flap."""
_FAULT, _TIER = np.uint64(Stream.FAULT), np.uint64(Stream.TIER)
_FURTHER_TIERS = len(TIERS) - 1

_DATABASE_NUMBERS = np.array([_SERVICES.index(database) for database in DATABASES], np.float64)
_DATABASE_COUNT = float(len(DATABASES))
_CALLERS = [[_SERVICES.index(caller) for caller in callers_of(db)] for db in DATABASES]
_CALLER_COUNTS = np.array([len(callers) for callers in _CALLERS], np.float64)
_MOST_CALLERS = max(map(len, _CALLERS))
_CALLER_TABLE = np.array([(callers * 2)[:_MOST_CALLERS] for callers in _CALLERS], float).ravel()
"""_MOST_CALLERS a database; a list that is shorter is filled up."""

_SHAPES = [shapes.FLAP_SHAPES[cause] for cause in _CAUSES]
_CAUSE_COUNT = float(len(_CAUSES))
_CHEAP_CURES = np.array([_ACTIONS.index(shape.cheap_cure) for shape in _SHAPES], np.float64)
_LOSS_SHARES, _PERIODS, _BURSTS, _CPU_FACTORS = (
    np.ascontiguousarray(np.array([getattr(shape, name) for shape in _SHAPES], np.float64).T)
    for name in ("loss_share", "period_steps", "burst_steps", "cpu_factor")
)
"""(2, causes): lowest and highest value of each cause."""
_STALL_SHARE = shapes.STALL_FORGIVEN_S / shapes.STALL_CYCLE_S


@rule
def draw_tier(seed: Any, bounds: Any) -> Any:
    """Number of the tier that an episode is played on; its seed and the shares decide alone.

    bounds: by tier, its share and those of all tiers before it, added up.
    """
    u = _uniform(stream_key(seed_key(seed), _TIER, 0), 0)
    tier = zeros_like(u)
    for number in range(_FURTHER_TIERS):
        tier = tier + to_float(u >= bounds[number])
    return tier


@rule
def draw_faults(tier: Any, seed: Any, drawn: Any, faults: Any) -> None:
    """Writes the faults that each seed hides on its tier.

    tier: by number. seed: uint64. drawn: flags; the other lanes get no fault.
    faults: MAX_FAULTS * FAULT_WIDTH rows of a fault table.
    """
    for field in each_row(layout.MAX_FAULTS * layout.FAULT_WIDTH):
        faults[field] = 0.0
    faults[layout.CURED_AT] = layout.NEVER
    faults[layout.FAULT_WIDTH + layout.CURED_AT] = layout.NEVER
    kind = where(drawn, take(_KIND_OF_TIER, to_int(tier)), 0.0)
    expert = drawn & (tier == _EXPERT)
    if any_lane(expert):
        u_first = _uniform(stream_key(seed_key(seed), _FAULT, TIER_DRAWS), 0)
        kind = where(expert, 1.0 + np.floor(_KIND_COUNT * u_first), kind)
    _draw_fault(seed, 0, kind, faults)
    if any_lane(expert):
        _draw_second(seed, expert, faults)


@rule
def _draw_second(seed: Any, drawn: Any, faults: Any) -> None:
    """In some lanes a second fault, drawn anew under the next number until it meets no first."""
    key = stream_key(seed_key(seed), _FAULT, TIER_DRAWS)
    pair = drawn & (_uniform(key, 1) < shapes.PAIR_SHARE)
    # A flap has one place to be, so it is no candidate where that is taken; it is the last kind.
    # (What else shows there has its root there: no leak of connections does.)
    candidates = where(faults[layout.ROOT] == PAYMENT, _KIND_COUNT - 1.0, _KIND_COUNT)
    kind = where(pair, 1.0 + np.floor(candidates * _uniform(key, 2)), 0.0)
    second, number = rows_from(faults, layout.FAULT_WIDTH), 1
    while any_lane(kind > 0.0):
        _draw_fault(seed, number, kind, second)
        kind = where(_services_meet(faults, second), kind, 0.0)
        number += 1


@rule
def _services_meet(one: Any, other: Any) -> Any:
    """Whether two faults show first-hand at the same service.

    A leak shows at its root and its database, other kinds at their root.
    """
    root, other_root = one[layout.ROOT], other[layout.ROOT]
    database = _database_or_root(one)
    other_database = _database_or_root(other)
    roots = (root == other_root) | (root == other_database)
    return roots | (database == other_root) | (database == other_database)


@rule
def _database_or_root(f: Any) -> Any:
    leaks = f[layout.KIND] == layout.DB_CONNECTION_LEAK
    return where(leaks, f[layout.DATABASE], f[layout.ROOT])


@rule
def _draw_fault(seed: Any, number: int, kind: Any, f: Any) -> None:
    """Writes fault `number` of an episode into `f`, but nothing in lanes whose `kind` is 0."""
    key = stream_key(seed_key(seed), _FAULT, number)
    f[layout.KIND] = where(kind > 0.0, kind, f[layout.KIND])
    f[layout.CPU_FRACTION] = where(kind > 0.0, 1.0, f[layout.CPU_FRACTION])
    lanes = kind == layout.SINGLE_OOM
    if any_lane(lanes):
        _draw_single_oom(key, lanes, f)
    lanes = kind == layout.DB_CONNECTION_LEAK
    if any_lane(lanes):
        _draw_connection_leak(key, lanes, f)
    lanes = kind == layout.FLAPPING_NETWORK
    if any_lane(lanes):
        _draw_flapping(key, _cause(seed, number), lanes, f)


@rule
def _draw_single_oom(key: Any, lanes: Any, f: Any) -> None:
    """`SingleOom.draw`. Its cheap cure is number 0, a restart."""
    low, high = shapes.OOM_LEAK_MB_PER_STEP
    _write(f, layout.ROOT, lanes, np.floor(SERVICE_COUNT * _uniform(key, 0)))
    _write(f, layout.LEAK_MB, lanes, low + (high - low) * _uniform(key, 1))


@rule
def _draw_connection_leak(key: Any, lanes: Any, f: Any) -> None:
    """`DbConnectionLeak.draw`. Its cheap cure is number 0, a restart."""
    place = to_int(_DATABASE_COUNT * _uniform(key, 0))
    database = take(_DATABASE_NUMBERS, place)
    caller_place = to_int(take(_CALLER_COUNTS, place) * _uniform(key, 2))
    caller = take(_CALLER_TABLE, place * _MOST_CALLERS + caller_place)
    own = _uniform(key, 1) < shapes.LEAK_HELD_BY_DATABASE
    low, high = shapes.LEAK_FILL_STEPS
    _write(f, layout.DATABASE, lanes, database)
    _write(f, layout.ROOT, lanes, where(own, database, caller))
    _write(f, layout.FILL_STEPS, lanes, low + (high - low) * _uniform(key, 3))


@rule
def _cause(seed: Any, number: int) -> Any:
    """Number of the cause, by `draws.in_turn`: a rotation of one draw for three seeds in a row."""
    block = seed // np.uint64(_CAUSE_COUNT)
    turn = to_float(seed - block * np.uint64(_CAUSE_COUNT))
    rotation = _uniform(stream_key(seed_key(block), _FAULT, number), 0)
    share = rotation + turn / _CAUSE_COUNT
    # Modulo 1: both summands are below it.
    return to_int(_CAUSE_COUNT * where(share >= 1.0, share - 1.0, share))


@rule
def _draw_flapping(key: Any, cause: Any, lanes: Any, f: Any) -> None:
    """`FlappingNetwork.draw` and `Flap.draw`."""
    loss_share = _between(_LOSS_SHARES, cause, _uniform(key, 2))
    period = _whole_between(_PERIODS, cause, _uniform(key, 3))
    _write(f, layout.ROOT, lanes, PAYMENT)
    _write(f, layout.CHEAP_CURE, lanes, take(_CHEAP_CURES, cause))
    _write(f, layout.CAUSE, lanes, to_float(cause))
    _write(f, layout.LOSS_SHARE, lanes, loss_share)
    _write(f, layout.PERIOD, lanes, period)
    _write(f, layout.BURST, lanes, _whole_between(_BURSTS, cause, _uniform(key, 4)))
    _write(f, layout.PHASE, lanes, np.floor(period * _uniform(key, 5)))
    neighbour = lanes & (to_float(cause) == layout.NOISY_NEIGHBOUR)
    # `shapes.cpu_fraction_for`.
    fraction = np.maximum(shapes.CPU_FRACTION_MIN, 1.0 - loss_share - _STALL_SHARE)
    factor = _between(_CPU_FACTORS, cause, _uniform(key, 1))
    cpu_pct = np.maximum(0.0, (factor - 1.0) * shapes.NOMINAL_CPU_PCT)
    _write(f, layout.CPU_FRACTION, neighbour, fraction)
    _write(f, layout.NEIGHBOUR_PCT, neighbour, cpu_pct)


@rule
def _write(f: Any, field: int, lanes: Any, value: Any) -> None:
    f[field] = where(lanes, value, f[field])


@rule
def _uniform(key: Any, index: int) -> Any:
    return uniform_of_key(fold_key(key, np.uint64(index)))


@rule
def _between(bounds: Any, cause: Any, u: Any) -> Any:
    """`draws.uniform_between`."""
    low, high = lookup(bounds, 0, cause), lookup(bounds, 1, cause)
    return low + (high - low) * u


@rule
def _whole_between(bounds: Any, cause: Any, u: Any) -> Any:
    """`draws.integer_between`."""
    low, high = lookup(bounds, 0, cause), lookup(bounds, 1, cause)
    return low + np.floor((high - low + 1.0) * u)
