"""One text, two readings: laws written so that `x[service]` is a row of lanes or a single number.

NumPy reads them over arrays; `compiled` hands them to Numba, which reads them one lane at a time.
As they use nothing but IEEE's exact operations (+ - * / sqrt floor, comparisons, tables), both give
the same bits on every machine. Never calls libm: what needs exp, log or cos stands as a polynomial.
"""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

F = TypeVar("F", bound=Callable[..., Any])
LAWS: list[Callable[..., Any]] = []
"""What Numba is to compile, in the order it was written down."""

_MIX_1, _MIX_2 = np.uint64(0xBF58_476D_1CE4_E5B9), np.uint64(0x94D0_49BB_1331_11EB)
_GOLDEN = np.uint64(0x9E37_79B9_7F4A_7C15)
_S11, _S27, _S30, _S31, _S32 = (np.uint64(shift) for shift in (11, 27, 30, 31, 32))
_LOW_32 = np.uint64(0xFFFF_FFFF)
_MANTISSA, _ONE = 0x000F_FFFF_FFFF_FFFF, 0x3FF0_0000_0000_0000
_SQRT_2, _TWO_PI, _HALF, _QUARTER = 1.4142135623730951, 6.283185307179586, 0.5, 0.25
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_L1, _L2, _L3, _L4, _L5, _L6, _L7 = (
    6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01,
    2.222219843214978396e-01, 1.818357216161805012e-01, 1.531383769920937332e-01,
    1.479819860511658591e-01,
)  # fmt: skip
_C1, _C2, _C3, _C4, _C5, _C6, _C7, _C8, _C9, _C10 = (
    (-1.0) ** n / math.factorial(2 * n) for n in range(1, 11)
)


def law(function: F) -> F:
    """Marks a function that both readings use."""
    LAWS.append(function)
    return function


def where(condition: Any, this: Any, that: Any) -> Any:
    """One value where the condition holds, else the other; both are computed."""
    return np.where(condition, this, that)


def some(condition: Any) -> bool:
    """Whether it holds in any lane: laws skip what concerns none."""
    return bool(np.any(condition))


def each(count: int) -> Any:
    """Numbers 0..count - 1, to loop over: all at once as an index of rows, or one by one."""
    return (np.arange(count),)


def column(index: Any) -> Any:
    """A number made of an index, beside rows of lanes."""
    return np.asarray(index)[:, None]


def whole(value: Any) -> Any:
    """As a 64-bit integer that may index a table."""
    return np.asarray(value).astype(np.int64)


def unsigned(value: Any) -> Any:
    """As an unsigned 64-bit integer, part of a key."""
    return np.asarray(value).astype(np.uint64)


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
    """One more part of a key: `services.mesh.draws.key` folds them in one by one."""
    x = h + _GOLDEN + part
    x = (x ^ (x >> _S30)) * _MIX_1
    x = (x ^ (x >> _S27)) * _MIX_2
    return x ^ (x >> _S31)


@law
def uniform_of(h: Any) -> Any:
    """As `services.mesh.draws.uniform`, of a finished key."""
    return real(h >> _S11) * 2.0**-53


@law
def high(h: Any) -> Any:
    """Uniform in (0, 1), from the upper half of a key."""
    return (real(h >> _S32) + 0.5) * 2.0**-32


@law
def low(h: Any) -> Any:
    """Uniform in (0, 1), from the lower half of a key."""
    return (real(h & _LOW_32) + 0.5) * 2.0**-32


@law
def _log(x: Any) -> Any:
    """Natural logarithm of a positive normal number: fdlibm's `__ieee754_log`, below 1 ulp."""
    bits = bits_of(x)
    exponent = (bits >> 52) - 1023
    m = number_of((bits & _MANTISSA) | _ONE)
    halved = m > _SQRT_2
    m = where(halved, 0.5 * m, m)
    k = real(exponent) + where(halved, 1.0, 0.0)
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    r = z * (_L1 + z * (_L2 + z * (_L3 + z * (_L4 + z * (_L5 + z * (_L6 + z * _L7))))))
    half = 0.5 * f * f
    return k * _LN2_HIGH - ((half - (s * (half + r) + k * _LN2_LOW)) - f)


@law
def root_log(x: Any) -> Any:
    """sqrt(-2 ln x), the radius of Box and Muller, for x in (0, 1]."""
    square = -2.0 * _log(x)
    return np.sqrt(where(square > 0.0, square, 0.0))


@law
def wave(turns: Any) -> Any:
    """cos(2 pi turns) for turns in [0, 1): Taylor's series on a quarter turn, to 1e-16."""
    half = where(turns > _HALF, 1.0 - turns, turns)
    quarter = where(half > _QUARTER, _HALF - half, half)
    y = (_TWO_PI * quarter) * (_TWO_PI * quarter)
    c = 1.0 + y * (_C1 + y * (_C2 + y * (_C3 + y * (_C4 + y * (_C5 + y * (_C6 + y * (
        _C7 + y * (_C8 + y * (_C9 + y * _C10)))))))))  # fmt: skip
    return where(half > _QUARTER, -c, c)
