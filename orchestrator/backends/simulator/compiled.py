"""Numba's reading of the laws: makes them known to its compiler. Slow to import.

Never changes what a law means: what NumPy does to arrays by `where` and casts, it does to numbers.
"""

from typing import Any

import numpy as np
from numba.extending import overload, register_jitable

from orchestrator.backends.simulator import reading


@overload(reading.where)
def _where(condition: Any, this: Any, that: Any) -> Any:
    return lambda condition, this, that: this if condition else that


@overload(reading.whole)
def _whole(value: Any) -> Any:
    return lambda value: np.int64(value)


@overload(reading.unsigned)
def _unsigned(value: Any) -> Any:
    return lambda value: np.uint64(value)


@overload(reading.real)
def _real(value: Any) -> Any:
    return lambda value: np.float64(value)


@overload(reading.bits_of)
def _bits_of(value: Any) -> Any:
    return lambda value: np.float64(value).view(np.int64)


@overload(reading.number_of)
def _number_of(bits: Any) -> Any:
    return lambda bits: np.int64(bits).view(np.float64)


def compile_laws() -> None:
    """Lets Numba call all laws that have been imported by now."""
    for function in reading.LAWS:
        register_jitable(function)
