"""The operations of `rules.array_ops` on vectors, for Numba; makes every rule callable from there.

An overload never changes what a rule means: tests hold both engines to the same bits. Slow to
import: loads the compiler.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
from numba.extending import overload, register_jitable

from sre_autopilot.simulator.numba_engine.memory import pointer_to_row
from sre_autopilot.simulator.numba_engine.vector_type import (
    Vector,
    any_flag,
    as_flags,
    as_floats,
    as_ints,
    as_uints,
    bits_of_floats,
    floats_of_bits,
    select,
)
from sre_autopilot.simulator.rules import (
    actions,
    array_ops,
    calls,
    fault_draws,
    faults,
    features,
    observation,
    scoring,
    step,
    traffic,
)

F = TypeVar("F", bound=Callable[..., Any])

RULE_MODULES = (
    actions,
    array_ops,
    calls,
    fault_draws,
    faults,
    features,
    observation,
    scoring,
    step,
    traffic,
)
"""Every module that holds rules. A test compares it with the folder."""


@overload(array_ops.where, strict=False)
def _where(condition: Any, this: Any, that: Any) -> Any:
    return lambda condition, this, that: select(condition, this, that)


@overload(array_ops.any_lane, strict=False)
def _any_lane(condition: Any) -> Any:
    return lambda condition: any_flag(condition)


@overload(array_ops.zeros_like, strict=False)
def _zeros_like(values: Any) -> Any:
    return lambda values: as_floats(0.0)


@overload(array_ops.no_lane, strict=False)
def _no_lane(values: Any) -> Any:
    return lambda values: as_flags(False)


@overload(array_ops.negate, strict=False)
def _negate(flags: Any) -> Any:
    # Exclusive or with true: a vector of flags has no logical not in LLVM.
    return lambda flags: flags ^ True


@overload(array_ops.each_row, strict=False)
def _each_row(count: Any) -> Any:
    return lambda count: range(count)


# NumPy gets all rows of a RowRange at once and sums over them; here a loop brings one by one.
@overload(array_ops.accumulate, strict=False)
def _accumulate(total: Any, values: Any) -> Any:
    return lambda total, values: total + values


@overload(array_ops.accumulate_any, strict=False)
def _accumulate_any(flag: Any, flags: Any) -> Any:
    return lambda flag, flags: flag | flags


@overload(array_ops.row_numbers, strict=False)
def _row_numbers(rows: Any) -> Any:
    return lambda rows: rows


@overload(array_ops.row_constant, strict=False)
def _row_constant(table: Any, rows: Any) -> Any:
    return lambda table, rows: table[rows]


@overload(array_ops.lookup, strict=False)
def _lookup(table: Any, rows: Any, place: Any) -> Any:
    return lambda table, rows, place: table[rows, place]


@overload(array_ops.take, strict=False)
def _take(table: Any, place: Any) -> Any:
    return lambda table, place: table[place]


@overload(array_ops.rows_from, strict=False)
def _rows_from(rows: Any, first: Any) -> Any:
    return lambda rows, first: pointer_to_row(rows, first)


@overload(array_ops.to_int, strict=False)
def _to_int(value: Any) -> Any:
    return lambda value: as_ints(value)


@overload(array_ops.to_key, strict=False)
def _to_key(value: Any) -> Any:
    if isinstance(value, Vector):
        return lambda value: as_uints(value)
    return lambda value: np.uint64(value)


@overload(array_ops.key_as_int, strict=False)
def _key_as_int(value: Any) -> Any:
    return lambda value: as_ints(value)


@overload(array_ops.to_float, strict=False)
def _to_float(value: Any) -> Any:
    return lambda value: as_floats(value)


@overload(array_ops.float_bits, strict=False)
def _float_bits(value: Any) -> Any:
    return lambda value: bits_of_floats(value)


@overload(array_ops.float_of_bits, strict=False)
def _float_of_bits(bits: Any) -> Any:
    return lambda bits: floats_of_bits(bits)


def rules_of(module: Any) -> Iterator[Callable[..., Any]]:
    """The functions of a module that are marked by `array_ops.rule`, its own alone."""
    for function in vars(module).values():
        if getattr(function, "is_rule", False) and function.__module__ == module.__name__:
            yield function


def inlined(function: F) -> F:
    """The same function, compiled into its callers: a call would pass vectors through memory."""
    register: Any = register_jitable(error_model="numpy", _nrt=False, forceinline=True)
    register(function)
    return function


for _module in RULE_MODULES:
    for _rule in rules_of(_module):
        inlined(_rule)
