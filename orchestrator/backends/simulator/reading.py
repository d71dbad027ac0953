"""One text, two readings: laws written so that `x[service]` is a row of lanes or a single number.

NumPy reads them over arrays; `compiled` hands them to Numba, which reads them one lane at a time.
As they use nothing but IEEE's exact operations (+ - * / sqrt floor, comparisons, tables), both give
the same bits on every machine. Never calls libm: what needs exp, log or cos stands as a polynomial.
"""

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


def law(function: F) -> F:
    """Marks a function that both readings use."""
    LAWS.append(function)
    return function


def where(condition: Any, this: Any, that: Any) -> Any:
    """One value where the condition holds, else the other; both are computed."""
    return np.where(condition, this, that)


def whole(value: Any) -> Any:
    """As a 64-bit integer that may index a table."""
    return np.asarray(value).astype(np.int64)


def unsigned(value: Any) -> Any:
    """As an unsigned 64-bit integer, part of a key."""
    return np.asarray(value).astype(np.uint64)


def real(value: Any) -> Any:
    """As a 64-bit floating-point number."""
    return np.asarray(value).astype(np.float64)


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
