"""Numba's reading of the laws: a row is WIDTH lanes, in a register. Slow to import.

Never changes what a law means: what NumPy does to arrays by `where` and casts, it does to rows.
"""

from typing import Any

import numpy as np
from numba.extending import overload, register_jitable

from sre_autopilot.simulator.numba_engine.memory import bank_from
from sre_autopilot.simulator.numba_engine.vector_type import (
    Row,
    anywhere,
    as_keys,
    as_reals,
    as_wholes,
    bits_of_reals,
    reals_of_bits,
    select,
)
from sre_autopilot.simulator.rules import array_ops as reading


@overload(reading.where, strict=False)
def _where(condition: Any, this: Any, that: Any) -> Any:
    return lambda condition, this, that: select(condition, this, that)


@overload(reading.some, strict=False)
def _some(condition: Any) -> Any:
    return lambda condition: anywhere(condition)


@overload(reading.each, strict=False)
def _each(count: Any) -> Any:
    return lambda count: range(count)


@overload(reading.plus, strict=False)
def _plus(total: Any, values: Any) -> Any:
    return lambda total, values: total + values


@overload(reading.either, strict=False)
def _either(flag: Any, flags: Any) -> Any:
    return lambda flag, flags: flag | flags


@overload(reading.column, strict=False)
def _column(index: Any) -> Any:
    return lambda index: index


@overload(reading.entry, strict=False)
def _entry(table: Any, index: Any) -> Any:
    return lambda table, index: table[index]


@overload(reading.looked_up, strict=False)
def _looked_up(table: Any, index: Any, place: Any) -> Any:
    return lambda table, index, place: table[index, place]


@overload(reading.picked, strict=False)
def _picked(table: Any, place: Any) -> Any:
    return lambda table, place: table[place]


@overload(reading.rows_from, strict=False)
def _rows_from(rows: Any, first: Any) -> Any:
    return lambda rows, first: bank_from(rows, first)


@overload(reading.whole, strict=False)
def _whole(value: Any) -> Any:
    return lambda value: as_wholes(value)


@overload(reading.unsigned, strict=False)
def _unsigned(value: Any) -> Any:
    if isinstance(value, Row):
        return lambda value: as_keys(value)
    return lambda value: np.uint64(value)


@overload(reading.signed, strict=False)
def _signed(value: Any) -> Any:
    return lambda value: as_wholes(value)


@overload(reading.real, strict=False)
def _real(value: Any) -> Any:
    return lambda value: as_reals(value)


@overload(reading.bits_of, strict=False)
def _bits_of(value: Any) -> Any:
    return lambda value: bits_of_reals(value)


@overload(reading.number_of, strict=False)
def _number_of(bits: Any) -> Any:
    return lambda bits: reals_of_bits(bits)


def compile_laws() -> None:
    """Lets Numba call all laws that have been imported by now."""
    for function in reading.LAWS:
        register_jitable(error_model="numpy", _nrt=False, forceinline=True)(function)
