"""The operations that the rules of the world are written in, as NumPy carries them out.

A rule is written once: `x[service]` is a row of lanes (one number per episode). NumPy runs it over
whole arrays, all lanes of all services at once; `numba_engine.overloads` gives each operation
here a second meaning, a few lanes of one service at a time. Rules use IEEE's exact operations only
(+ - * / sqrt floor rint, comparisons, tables), so both engines give the same bits on every machine.
Never calls libm, whose last digit differs between machines.
"""

from collections.abc import Callable
from typing import Any, Self, TypeVar

import numpy as np

from sre_autopilot.world import quantiles

F = TypeVar("F", bound=Callable[..., Any])

# The constants of SplitMix64's finaliser: see `sre_autopilot.world.draws.mix`.
_MIX_1, _MIX_2 = np.uint64(0xBF58_476D_1CE4_E5B9), np.uint64(0x94D0_49BB_1331_11EB)
_GOLDEN = np.uint64(0x9E37_79B9_7F4A_7C15)
_S11, _S27, _S30, _S31, _S32 = (np.uint64(shift) for shift in (11, 27, 30, 31, 32))
_LOW_32 = np.uint64(0xFFFF_FFFF)
_LOW_52, _SIGN = np.uint64((1 << 52) - 1), np.uint64(1 << 63)
_NO_KEY = np.uint64(0)
_OFFSET_BITS = 52 - quantiles.SEGMENT_BITS
"""Low bits of a share's mantissa: where in its segment of the table it lies."""
_SEGMENT_START = ~((1 << _OFFSET_BITS) - 1)
_FIRST_SEGMENT = (1023 - 1 - quantiles.OCTAVES) << quantiles.SEGMENT_BITS
"""Exponent and leading mantissa bits of the smallest share (1023 is IEEE's exponent bias)."""
_QUANTILE, _SLOPE = (np.array(values) for values in quantiles.table()[1:])


def rule(function: F) -> F:
    """Marks a function that both engines run. Returns the function itself."""
    function.is_rule = True  # type: ignore[attr-defined]
    return function


class RowRange:
    """Evenly spaced row numbers, read or written at once."""

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
    """An array indexed by row number or by a RowRange; reading copies nothing."""

    __slots__ = ("array",)

    def __init__(self, array: Any) -> None:
        self.array = array

    @classmethod
    def zeros(cls, count: int, dtype: Any = np.float64, *, lanes: int) -> Self:
        """(count, lanes) zeros."""
        return cls(np.zeros((count, lanes), dtype))

    def __getitem__(self, row: Any) -> Any:
        return self.array[row.rows if isinstance(row, RowRange) else row]

    def __setitem__(self, row: Any, values: Any) -> None:
        self.array[row.rows if isinstance(row, RowRange) else row] = values

    def __len__(self) -> int:
        return len(self.array)


def where(condition: Any, this: Any, that: Any) -> Any:
    """By lane: where the condition holds `this`, else `that`. Both are computed."""
    return np.where(condition, this, that)


def any_lane(condition: Any) -> bool:
    """Whether the condition holds in any lane; rules skip what concerns none."""
    return bool(np.count_nonzero(condition))


def zeros_like(values: Any) -> Any:
    """0.0 in every lane of `values`."""
    return np.zeros(np.shape(values))


def no_lane(values: Any) -> Any:
    """False in every lane of `values`."""
    return np.zeros(np.shape(values), np.bool_)


def negate(flags: Any) -> Any:
    """The opposite flag in every lane."""
    return np.logical_not(flags)


def each_row(count: int) -> Any:
    """Row numbers 0..count - 1, to loop over: NumPy gets them all at once, Numba one by one.

    What is summed up over them takes `accumulate` or `accumulate_any`.
    """
    return (RowRange(0, count),)


def accumulate(total: Any, values: Any) -> Any:
    """`total` plus the values of the rows at hand.

    Exact, as rules add whole numbers only: the order of the sum changes no bit.
    """
    return total + values.sum(axis=0)


def accumulate_any(flag: Any, flags: Any) -> Any:
    """Whether `flag` holds already, or a flag of the rows at hand."""
    return flag | flags.any(axis=0)


def row_numbers(rows: RowRange) -> Any:
    """(rows, 1): numbers of rows as values, to be compared with rows of lanes."""
    return np.arange(rows.start, rows.stop, rows.step)[:, None]


def row_constant(table: Any, rows: Any) -> Any:
    """(rows, 1): of a table of one constant per row, those of `rows`."""
    return table[rows.rows, None]


def lookup(table: Any, rows: Any, place: Any) -> Any:
    """`table[row, place]`; `place` differs from lane to lane."""
    if isinstance(rows, RowRange):
        return table.ravel().take(row_numbers(rows) * table.shape[1] + place)
    return table[rows].take(place)


def take(table: Any, place: Any) -> Any:
    """`table[place]` of a table with one axis; `place` differs from lane to lane."""
    return table.take(place)


def rows_from(rows: Any, first: int) -> Any:
    """The same memory, with row `first` as row 0."""
    return Rows(rows.array[first:])


def to_int(value: Any) -> Any:
    """As int64, to index a table; rounds towards zero."""
    return np.asarray(value).astype(np.int64)


def to_key(value: Any) -> Any:
    """As uint64, a part of a key."""
    return np.asarray(value).astype(np.uint64)


def key_as_int(value: Any) -> Any:
    """The bits of a key as int64."""
    return value.view(np.int64)


def to_float(value: Any) -> Any:
    """As float64; a flag becomes 1.0 or 0.0."""
    return np.asarray(value).astype(np.float64)


def float_bits(value: Any) -> Any:
    """The 64 bits of a float64, as int64."""
    return np.asarray(value, np.float64).view(np.int64)


def float_of_bits(bits: Any) -> Any:
    """The float64 that has these 64 bits."""
    return np.asarray(bits, np.int64).view(np.float64)


@rule
def fold_key(h: Any, part: Any) -> Any:
    """Key `h` with one more part folded in, as `sre_autopilot.world.draws.key` does."""
    x = h + _GOLDEN + part
    # In place: the keys of a step's noise, of a thousand lanes, leave the cache otherwise.
    x ^= x >> _S30
    x *= _MIX_1
    x ^= x >> _S27
    x *= _MIX_2
    x ^= x >> _S31
    return x


@rule
def seed_key(seed: Any) -> Any:
    """Key whose only part is the seed; every other key of an episode begins with it."""
    return fold_key(_NO_KEY, seed)


@rule
def stream_key(h: Any, stream: Any, step: Any) -> Any:
    """Key of (seed, stream, step), where `h` is `seed_key(seed)`. The next part is an index."""
    return fold_key(fold_key(h, stream), to_key(step))


@rule
def uniform_of_key(h: Any) -> Any:
    """Uniform in [0, 1), as `sre_autopilot.world.draws.uniform` of a finished key."""
    return to_float(h >> _S11) * 2.0**-53


@rule
def normal_of_key(h: Any) -> Any:
    """Standard normal, as `sre_autopilot.world.quantiles.standard_normal` of a finished key."""
    share = (to_float((h >> _S11) & _LOW_52) + 0.5) * 2.0**-53
    # The segment of a share in (0, 1/2) is its exponent and the first bits of its mantissa, so
    # shifting its bits finds it where Python's code calls frexp.
    bits = float_bits(share)
    segment = (bits >> _OFFSET_BITS) - _FIRST_SEGMENT
    left = float_of_bits(bits & _SEGMENT_START)
    z = take(_QUANTILE, segment) + (share - left) * take(_SLOPE, segment)
    # The key's top bit chooses the half: it flips the sign bit without a branch.
    return float_of_bits(float_bits(z) ^ key_as_int(h & _SIGN))


@rule
def upper_uniform(h: Any) -> Any:
    """Uniform in (0, 1), from the upper 32 bits of a key."""
    return (to_float(h >> _S32) + 0.5) * 2.0**-32


@rule
def lower_uniform(h: Any) -> Any:
    """Uniform in (0, 1), from the lower 32 bits of a key; independent of `upper_uniform`."""
    return (to_float(h & _LOW_32) + 0.5) * 2.0**-32
