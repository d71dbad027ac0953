"""One text, two readings: laws written so that `x[service]` is a row of lanes, whoever reads it.

NumPy reads them over arrays, all lanes of all services at once; `compiled` hands them to Numba,
which reads them a few lanes of one service at a time. As they use nothing but IEEE's exact
operations (+ - * / sqrt floor, comparisons, tables), both give the same bits on every machine.
Never calls libm.
"""

from collections.abc import Callable
from typing import Any, Self, TypeVar

import numpy as np

from sre_autopilot.world import quantiles

F = TypeVar("F", bound=Callable[..., Any])
LAWS: list[Callable[..., Any]] = []
"""What Numba is to compile, in the order it was written down."""

_MIX_1, _MIX_2 = np.uint64(0xBF58_476D_1CE4_E5B9), np.uint64(0x94D0_49BB_1331_11EB)
_GOLDEN = np.uint64(0x9E37_79B9_7F4A_7C15)
_S11, _S27, _S30, _S31, _S32 = (np.uint64(shift) for shift in (11, 27, 30, 31, 32))
_LOW_32 = np.uint64(0xFFFF_FFFF)
_LOW_52, _SIGN = np.uint64((1 << 52) - 1), np.uint64(1 << 63)
_WITHIN = 52 - quantiles.SEGMENT_BITS
"""Bits of a share that say where in its segment it lies."""
_EDGE = ~((1 << _WITHIN) - 1)
_FIRST = (1023 - 1 - quantiles.OCTAVES) << quantiles.SEGMENT_BITS
_QUANTILE, _SLOPE = (np.array(column) for column in quantiles.table()[1:])


def law(function: F) -> F:
    """Marks a function that both readings use."""
    LAWS.append(function)
    return function


class Span:
    """Numbers of rows, evenly spaced, that are read at once."""

    __slots__ = ("start", "step", "stop")

    def __init__(self, start: int, stop: int, step: int = 1) -> None:
        self.start, self.stop, self.step = start, stop, step

    def __add__(self, more: int) -> Self:
        return self.__class__(self.start + more, self.stop + more, self.step)

    def __mul__(self, times: int) -> Self:
        return self.__class__(self.start * times, self.stop * times, self.step * times)

    __radd__, __rmul__ = __add__, __mul__

    @property
    def rows(self) -> slice:
        return slice(self.start, self.stop, self.step)


class Rows:
    """An array by its rows: one of them, or all of a span, without a copy."""

    __slots__ = ("array",)

    def __init__(self, array: Any) -> None:
        self.array = array

    @classmethod
    def of_zeros(cls, count: int, dtype: Any = np.float64, *, lanes: int) -> Self:
        return cls(np.zeros((count, lanes), dtype))

    def __getitem__(self, at: Any) -> Any:
        return self.array[at.rows if isinstance(at, Span) else at]

    def __setitem__(self, at: Any, values: Any) -> None:
        self.array[at.rows if isinstance(at, Span) else at] = values

    def __len__(self) -> int:
        return len(self.array)


def where(condition: Any, this: Any, that: Any) -> Any:
    """One value where the condition holds, else the other; both are computed."""
    return np.where(condition, this, that)


def some(condition: Any) -> bool:
    """Whether it holds in any lane: laws skip what concerns none."""
    return bool(np.count_nonzero(condition))


def each(count: int) -> Any:
    """Numbers 0..count - 1, to loop over: all at once, or one by one. What is summed up over them
    takes `plus` or `either`.
    """
    return (Span(0, count),)


def plus(total: Any, values: Any) -> Any:
    """The total with what each has to add: whole numbers, which any order adds up to the same."""
    return total + values.sum(axis=0)


def either(flag: Any, flags: Any) -> Any:
    """Whether it holds already, or for any."""
    return flag | flags.any(axis=0)


def column(index: Span) -> Any:
    """Numbers of rows, as numbers beside rows of lanes."""
    return np.arange(index.start, index.stop, index.step)[:, None]


def entry(table: Any, index: Any) -> Any:
    """Of a constant per row, that of this one."""
    return table[index.rows, None]


def looked_up(table: Any, index: Any, place: Any) -> Any:
    """What stands in a row of a table, at a place in each lane."""
    if isinstance(index, Span):
        return table.ravel().take(column(index) * table.shape[1] + place)
    return table[index].take(place)


def picked(table: Any, place: Any) -> Any:
    """What stands at a place of a table of one row."""
    return table.take(place)


def rows_from(rows: Any, first: int) -> Any:
    """The rows from that one on."""
    return Rows(rows.array[first:])


def whole(value: Any) -> Any:
    """As a 64-bit integer that may index a table."""
    return np.asarray(value).astype(np.int64)


def unsigned(value: Any) -> Any:
    """As an unsigned 64-bit integer, part of a key."""
    return np.asarray(value).astype(np.uint64)


def signed(value: Any) -> Any:
    """The bits of a key, as a signed integer."""
    return value.view(np.int64)


def real(value: Any) -> Any:
    """As a 64-bit floating-point number."""
    return np.asarray(value).astype(np.float64)


def bits_of(value: Any) -> Any:
    """The 64 bits of a floating-point number, as a signed integer."""
    return np.asarray(value, np.float64).view(np.int64)


def number_of(bits: Any) -> Any:
    """The floating-point number of 64 bits."""
    return np.asarray(bits, np.int64).view(np.float64)


@law
def mixed(h: Any, part: Any) -> Any:
    """One more part of a key: `sre_autopilot.world.draws.key` folds them in one by one."""
    x = h + _GOLDEN + part
    x = (x ^ (x >> _S30)) * _MIX_1
    x = (x ^ (x >> _S27)) * _MIX_2
    return x ^ (x >> _S31)


@law
def uniform_of(h: Any) -> Any:
    """As `sre_autopilot.world.draws.uniform`, of a finished key."""
    return real(h >> _S11) * 2.0**-53


@law
def normal_of(h: Any) -> Any:
    """As `sre_autopilot.world.quantiles.standard_normal`, of a finished key."""
    share = (real((h >> _S11) & _LOW_52) + 0.5) * 2.0**-53
    bits = bits_of(share)
    segment = (bits >> _WITHIN) - _FIRST
    left = number_of(bits & _EDGE)
    z = picked(_QUANTILE, segment) + (share - left) * picked(_SLOPE, segment)
    return number_of(bits_of(z) ^ signed(h & _SIGN))


@law
def high(h: Any) -> Any:
    """Uniform in (0, 1), from the upper half of a key."""
    return (real(h >> _S32) + 0.5) * 2.0**-32


@law
def low(h: Any) -> Any:
    """Uniform in (0, 1), from the lower half of a key."""
    return (real(h & _LOW_32) + 0.5) * 2.0**-32
