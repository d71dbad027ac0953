"""Means with their bootstrap intervals, of one sample or of paired differences. Pure.

NumPy alone: a base install, which has no SciPy, evaluates and compares policies.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from sre_autopilot.world.draws import Stream

RESAMPLES = 9999
INTERVAL_PERCENTILES = (2.5, 97.5)


class Estimate(NamedTuple):
    """A mean, and its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, sample: Sequence[float]) -> Self:
        """Of a sample that is not empty."""
        return cls(float(np.mean(sample)), *interval(sample))

    @property
    def interval(self) -> str:
        """Both ends, three digits each."""
        return f"{self.low:.3f} .. {self.high:.3f}"

    @property
    def signed_interval(self) -> str:
        """Both ends with their signs, as differences are written."""
        return f"{self.low:+.3f} .. {self.high:+.3f}"


def interval(sample: Sequence[float]) -> tuple[float, float]:
    """95 % interval of the mean: percentile bootstrap, 9,999 resamples (Efron, Tibshirani: "An
    introduction to the bootstrap", 1993). Seeded, so that equal samples give equal intervals.

    The numbers are those of `scipy.stats.bootstrap`, which draws the same resamples.
    """
    if len(set(sample)) == 1:
        return sample[0], sample[0]
    values = np.asarray(sample)
    rng = np.random.default_rng(Stream.BOOTSTRAP)
    means = values[rng.integers(0, values.size, (RESAMPLES, values.size))].mean(axis=-1)
    low, high = np.percentile(means, INTERVAL_PERCENTILES)
    return float(low), float(high)


def paired_gap(sample: Sequence[float], reference: Sequence[float]) -> Estimate:
    """Mean of sample - reference over pairs, with its interval.

    Raises ValueError for no pair, and for samples of different lengths.
    """
    if len(sample) != len(reference):
        raise ValueError(f"pairs are needed, not {len(sample)} and {len(reference)} values")
    if not len(sample):
        raise ValueError("a paired difference needs at least one pair")
    return Estimate.of([float(a) - float(b) for a, b in zip(sample, reference, strict=True)])
