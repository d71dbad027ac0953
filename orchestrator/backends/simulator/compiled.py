"""Numba's reading of the laws: a row is WIDTH lanes, in a register. Slow to import.

Never changes what a law means: what NumPy does to arrays by `where` and casts, it does to rows.
"""

from typing import Any

import numpy as np
from numba.extending import overload, register_jitable

from orchestrator.backends.simulator import reading
from orchestrator.backends.simulator.registers import (
    Row,
    anywhere,
    as_keys,
    as_reals,
    as_wholes,
    bits_of_reals,
    reals_of_bits,
    select,
)


@overload(reading.where, strict=False)
def _where(condition: Any, this: Any, that: Any) -> Any:
    return lambda condition, this, that: select(condition, this, that)


@overload(reading.some, strict=False)
def _some(condition: Any) -> Any:
    return lambda condition: anywhere(condition)


@overload(reading.each, strict=False)
def _each(count: Any) -> Any:
    return lambda count: range(count)


@overload(reading.column, strict=False)
def _column(index: Any) -> Any:
    return lambda index: index


@overload(reading.whole, strict=False)
def _whole(value: Any) -> Any:
    return lambda value: as_wholes(value)


@overload(reading.unsigned, strict=False)
def _unsigned(value: Any) -> Any:
    if isinstance(value, Row):
        return lambda value: as_keys(value)
    return lambda value: np.uint64(value)


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
