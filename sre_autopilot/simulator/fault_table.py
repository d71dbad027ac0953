"""Hidden faults as rows of numbers, for lanes: encoded from fault objects, or drawn many at once.

`draw_fault_table` draws what `chaos.tiers.draw_faults` draws, with the same keys, 300 times as
fast; tests/sre_autopilot/simulator/test_fault_table.py holds both equal. Applies no fault.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from chaos.fault import Fault
from chaos.faults.db_connection_leak import DbConnectionLeak
from chaos.faults.flapping_network import FlappingNetwork
from chaos.faults.single_oom import SingleOom
from chaos.tiers import TIER_DRAWS
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.simulator.rules.array_ops import fold_key, seed_key, stream_key, uniform_of_key
from sre_autopilot.simulator.rules.window_arrays import PAYMENT
from sre_autopilot.world import shapes
from sre_autopilot.world.draws import Stream
from sre_autopilot.world.topology import DATABASES, Service, callers_of
from sre_autopilot.world.vocabulary import ActionName, FaultKind, FlapCause, Tier

_SERVICES, _ACTIONS = tuple(Service), tuple(ActionName)
_KINDS, _CAUSES = tuple(FaultKind), tuple(FlapCause)
_FAULT = np.uint64(Stream.FAULT)
_CHUNK = 8192
"""Episodes drawn at once: as many as leave the arrays in a processor's cache."""
Floats = np.ndarray[Any, np.dtype[np.float64]]
Keys = np.ndarray[Any, np.dtype[np.uint64]]

_DATABASE_NUMBERS = np.array([_SERVICES.index(database) for database in DATABASES])
_CALLERS = [[_SERVICES.index(caller) for caller in callers_of(db)] for db in DATABASES]
_CALLER_COUNTS = np.array([len(callers) for callers in _CALLERS])
_CALLER_TABLE = np.array([(callers * 2)[: max(_CALLER_COUNTS)] for callers in _CALLERS])
_SHAPES = [shapes.FLAP_SHAPES[cause] for cause in _CAUSES]
_CHEAP_CURES = np.array([_ACTIONS.index(shape.cheap_cure) for shape in _SHAPES])
_LOSS_SHARE, _PERIOD, _BURST, _CPU_FACTOR = (
    np.array([getattr(shape, name) for shape in _SHAPES], np.float64).T
    for name in ("loss_share", "period_steps", "burst_steps", "cpu_factor")
)
"""(2, causes): lowest and highest value of each cause."""


def encode_faults(faults: Sequence[Fault]) -> Floats:
    """(MAX_FAULTS * FAULT_WIDTH,). Raises ValueError for more faults, or for others' fault classes.

    Others' faults have no rules over arrays; they run on every backend behind the API.
    """
    real = [fault for fault in faults if fault.kind != FaultKind.NONE]
    if len(real) > layout.MAX_FAULTS:
        raise ValueError(
            f"the vector simulator takes up to {layout.MAX_FAULTS} faults at once, not {len(real)}"
        )
    row: Floats = _no_faults(1)[0]
    for number, fault in enumerate(real):
        _encode(row[number], fault)
    return row.reshape(-1)


def draw_fault_table(tier: Tier, seeds: Keys) -> Floats:
    """(seeds, MAX_FAULTS * FAULT_WIDTH): the faults that each seed hides on a tier."""
    table = _no_faults(len(seeds))
    for start in range(0, len(seeds), _CHUNK):
        part = slice(start, start + _CHUNK)
        if tier is Tier.EXPERT:
            _draw_expert(table[part], seeds[part])
        elif tier is not Tier.CONTROL:
            table[part, 0] = _DRAW[_KIND_OF_TIER[tier]](seeds[part], np.uint64(0))
    return table.reshape(len(seeds), -1)


def _no_faults(episodes: int) -> Floats:
    table = np.zeros((episodes, layout.MAX_FAULTS, layout.FAULT_WIDTH))
    table[:, :, layout.CURED_AT] = layout.NEVER
    return table


def _encode(row: Floats, fault: Fault) -> None:
    assert fault.root is not None
    row[layout.KIND] = _KINDS.index(FaultKind(fault.kind))
    row[layout.ROOT] = _SERVICES.index(fault.root)
    row[layout.CHEAP_CURE] = _ACTIONS.index(fault.cheap_cure)
    row[layout.CPU_FRACTION] = 1.0
    match fault:
        case SingleOom():
            row[layout.LEAK_MB] = fault.memory_leak_mb_per_step
        case DbConnectionLeak():
            row[layout.DATABASE] = _SERVICES.index(fault.database)
            row[layout.FILL_STEPS] = fault.fill_steps
        case FlappingNetwork():
            flap = fault.flap
            row[layout.CAUSE] = _CAUSES.index(fault.cause)
            row[layout.LOSS_SHARE] = flap.loss_share
            row[layout.PERIOD], row[layout.BURST] = flap.period_steps, flap.burst_steps
            row[layout.PHASE] = flap.phase_steps
            if fault.cause is FlapCause.NOISY_NEIGHBOUR:
                burst = fault.burst()
                row[layout.CPU_FRACTION] = burst.cpu_fraction
                row[layout.NEIGHBOUR_PCT] = burst.neighbour_cpu_pct
        case _:
            raise ValueError(
                f"the vector simulator has no rules for the fault {type(fault).__name__}"
            )


def _uniforms(seeds: Keys, number: Any, indices: Sequence[int]) -> list[Floats]:
    """`draws.uniform(seed, Stream.FAULT, number, index)` for every seed, an array an index.

    number: of the fault in its episode, one for all seeds or one each.
    """
    key = stream_key(seed_key(seeds), _FAULT, number)
    return [uniform_of_key(fold_key(key, np.uint64(index))) for index in indices]


def _rows(kind: int, episodes: int) -> Floats:
    rows = np.zeros((episodes, layout.FAULT_WIDTH))
    rows[:, layout.KIND], rows[:, layout.CPU_FRACTION] = kind, 1.0
    rows[:, layout.CHEAP_CURE], rows[:, layout.CURED_AT] = layout.RESTART, layout.NEVER
    return rows


def _draw_single_oom(seeds: Keys, number: Any) -> Floats:
    """`SingleOom.draw`."""
    rows = _rows(layout.SINGLE_OOM, len(seeds))
    u_root, u_leak = _uniforms(seeds, number, range(2))
    rows[:, layout.ROOT] = np.floor(len(_SERVICES) * u_root)
    rows[:, layout.LEAK_MB] = _between(shapes.OOM_LEAK_MB_PER_STEP, u_leak)
    return rows


def _draw_connection_leak(seeds: Keys, number: Any) -> Floats:
    """`DbConnectionLeak.draw`."""
    rows = _rows(layout.DB_CONNECTION_LEAK, len(seeds))
    u_database, u_own, u_caller, u_fill = _uniforms(seeds, number, range(4))
    place = (len(DATABASES) * u_database).astype(np.int64)
    database = _DATABASE_NUMBERS[place]
    caller = _CALLER_TABLE[place, (_CALLER_COUNTS[place] * u_caller).astype(np.int64)]
    rows[:, layout.DATABASE] = database
    rows[:, layout.ROOT] = np.where(u_own < shapes.LEAK_HELD_BY_DATABASE, database, caller)
    rows[:, layout.FILL_STEPS] = _between(shapes.LEAK_FILL_STEPS, u_fill)
    return rows


def _draw_flapping(seeds: Keys, number: Any) -> Floats:
    """`FlappingNetwork.draw` and `Flap.draw`."""
    rows = _rows(layout.FLAPPING_NETWORK, len(seeds))
    # `draws.in_turn`: a rotation of one draw for every three seeds in a row.
    block, turn = np.divmod(seeds, np.uint64(len(_CAUSES)))
    (rotation,) = _uniforms(block, number, (0,))
    share = rotation + turn.astype(np.float64) / len(_CAUSES)
    # Modulo 1, as both summands are below it; the remainder of floats takes five times as long.
    share -= share >= 1.0
    cause = (len(_CAUSES) * share).astype(np.int64)
    u_cpu, u_loss, u_period, u_burst, u_phase = _uniforms(seeds, number, range(1, 6))
    period = _whole_between(_PERIOD.take(cause, axis=1), u_period)
    loss_share = _between(_LOSS_SHARE.take(cause, axis=1), u_loss)
    rows[:, layout.CAUSE], rows[:, layout.LOSS_SHARE] = cause, loss_share
    rows[:, layout.PERIOD] = period
    rows[:, layout.BURST] = _whole_between(_BURST.take(cause, axis=1), u_burst)
    rows[:, layout.PHASE] = np.floor(period * u_phase)
    rows[:, layout.ROOT], rows[:, layout.CHEAP_CURE] = PAYMENT, _CHEAP_CURES[cause]
    neighbour = cause == layout.NOISY_NEIGHBOUR
    # `shapes.cpu_fraction_for`, over arrays.
    stalled = shapes.STALL_FORGIVEN_S / shapes.STALL_CYCLE_S
    fraction = np.maximum(shapes.CPU_FRACTION_MIN, 1.0 - loss_share - stalled)
    factor = _between(_CPU_FACTOR.take(cause, axis=1), u_cpu)
    cpu_pct = np.maximum(0.0, (factor - 1.0) * shapes.NOMINAL_CPU_PCT)
    rows[:, layout.CPU_FRACTION] = np.where(neighbour, fraction, 1.0)
    rows[:, layout.NEIGHBOUR_PCT] = np.where(neighbour, cpu_pct, 0.0)
    return rows


_KIND_OF_TIER: Mapping[Tier, int] = MappingProxyType(
    {
        Tier.EASY: layout.SINGLE_OOM,
        Tier.MEDIUM: layout.DB_CONNECTION_LEAK,
        Tier.HARD: layout.FLAPPING_NETWORK,
    }
)
_DRAW: Mapping[int, Callable[[Keys, Any], Floats]] = MappingProxyType(
    {
        layout.SINGLE_OOM: _draw_single_oom,
        layout.DB_CONNECTION_LEAK: _draw_connection_leak,
        layout.FLAPPING_NETWORK: _draw_flapping,
    }
)


def _draw_expert(table: Floats, seeds: Keys) -> None:
    """One fault or two, as `chaos.tiers` draws them: a second one on services of its own."""
    u_first, u_pair, u_second = _uniforms(seeds, TIER_DRAWS, range(3))
    first = np.floor(len(_DRAW) * u_first)
    table[:, 0] = _of_kinds(first, seeds, np.zeros(len(seeds), np.uint64))
    pairs = np.flatnonzero(u_pair < shapes.PAIR_SHARE)
    used = _services_used(table[pairs, 0])
    # A flap has one place to be, so it is no candidate where that is taken; it is the last kind.
    candidates = len(_DRAW) - (used >> PAYMENT & 1)
    second = np.floor(candidates * u_second[pairs])
    # `draw_faults` tries numbers 1, 2, ... until one is clear of the first fault. Here 1 is tried
    # for all, then 2 to 5 at once for those without luck (about a quarter), then 6 to 21, ...
    number, tries = 1, 1
    while len(pairs):
        numbers = np.arange(number, number + tries, dtype=np.uint64)
        repeated = np.repeat(seeds[pairs], tries)
        drawn = _of_kinds(np.repeat(second, tries), repeated, np.tile(numbers, len(pairs)))
        clear = (_services_used(drawn) & np.repeat(used, tries) == 0).reshape(-1, tries)
        lucky, place = clear.any(axis=1), clear.argmax(axis=1)
        by_pair = drawn.reshape(-1, tries, layout.FAULT_WIDTH)
        table[pairs[lucky], 1] = by_pair[lucky, place[lucky]]
        pairs, second, used = pairs[~lucky], second[~lucky], used[~lucky]
        number, tries = number + tries, 4 * tries


def _of_kinds(kinds: Floats, seeds: Keys, numbers: Keys) -> Floats:
    """The fault number `numbers` of each seed, whose kind is `kinds`: its place in _DRAW."""
    rows = np.empty((len(seeds), layout.FAULT_WIDTH))
    for place, draw in enumerate(_DRAW.values()):
        here = np.flatnonzero(kinds == place)
        rows[here] = draw(seeds[here], numbers[here])
    return rows


def _services_used(rows: Floats) -> Any:
    """Services where a fault shows first-hand, a bit each: int64."""
    leak = rows[:, layout.KIND] == layout.DB_CONNECTION_LEAK
    root = 1 << rows[:, layout.ROOT].astype(np.int64)
    return root | np.where(leak, 1 << rows[:, layout.DATABASE].astype(np.int64), 0)


def _between(bounds: Any, u: Floats) -> Floats:
    """`draws.uniform_between`."""
    low, high = bounds
    return np.asarray(low + (high - low) * u)


def _whole_between(bounds: Any, u: Floats) -> Floats:
    """`draws.integer_between`."""
    low, high = bounds
    return np.asarray(low + np.floor((high - low + 1.0) * u))
