"""Standard normal draws by inversion, with the same bits on every machine.

The Box-Muller transform needs a logarithm, a root and a cosine, whose last digits differ between
machines. Here the quantile function is interpolated in a table with SEGMENTS segments an octave, so
that it is finest in the tail: the error is below 5.1e-5 standard deviations, the variance 2.8e-5
too large, and no draw lies beyond 8.3.
"""

import math
from functools import cache
from itertools import pairwise
from statistics import NormalDist
from typing import NamedTuple

SEGMENT_BITS = 5
SEGMENTS = 1 << SEGMENT_BITS
"""Segments in each octave of (2**-54, 1/2), the lower half of the distribution."""
OCTAVES = 53
_SHIFT, _SHARE_BITS, _SIGN_BIT = 11, 52, 63
_DIGITS = 12
"""The table is rounded to this many digits, in which all machines agree."""


class Table(NamedTuple):
    """The segments, from the tail on: left edge, quantile there, and slope."""

    left: tuple[float, ...]
    quantile: tuple[float, ...]
    slope: tuple[float, ...]


@cache
def table() -> Table:
    """The table, computed once in about two milliseconds."""
    begins = [1.0 + segment / SEGMENTS for segment in range(SEGMENTS)]
    edges = [math.ldexp(b, octave) for octave in range(-OCTAVES - 1, -1) for b in begins] + [0.5]
    quantiles = [round(NormalDist().inv_cdf(edge), _DIGITS) for edge in edges]
    ends = zip(pairwise(quantiles), pairwise(edges), strict=True)
    slopes = ((high - low) / (right - left) for (low, high), (left, right) in ends)
    return Table(tuple(edges[:-1]), tuple(quantiles[:-1]), tuple(slopes))


def standard_normal(key: int) -> float:
    """The draw of a 64-bit key: the top bit is the sign, the next 52 bits the tail probability."""
    share = ((key >> _SHIFT & (1 << _SHARE_BITS) - 1) + 0.5) * 2.0**-53
    mantissa, exponent = math.frexp(share)
    segment = (exponent + OCTAVES) * SEGMENTS + int(mantissa * 2 * SEGMENTS) - SEGMENTS
    left, quantile, slope = (column[segment] for column in table())
    z = quantile + (share - left) * slope
    return -z if key >> _SIGN_BIT else z
