"""Means with their bootstrap intervals, of one sample or of paired differences. Pure.

SciPy is imported by the one function that resamples, so that reading results needs no SciPy.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from sre_autopilot.world.draws import Stream

CONFIDENCE = 0.95


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

    Where all values are equal, both ends are that value: SciPy would give nan and warn.
    """
    if len(set(sample)) == 1:
        return sample[0], sample[0]
    from scipy import stats  # noqa: PLC0415 - an extra; whoever reads results does without it

    rng = np.random.default_rng(Stream.BOOTSTRAP)
    resampled = stats.bootstrap(
        (np.asarray(sample),), np.mean, confidence_level=CONFIDENCE, method="percentile", rng=rng
    ).confidence_interval
    return float(resampled.low), float(resampled.high)


def paired_gap(sample: Sequence[float], reference: Sequence[float]) -> Estimate:
    """Mean of sample - reference over pairs, with its interval.

    Raises ValueError for no pair, and for samples of different lengths.
    """
    if len(sample) != len(reference):
        raise ValueError(f"pairs are needed, not {len(sample)} and {len(reference)} values")
    if not len(sample):
        raise ValueError("a paired difference needs at least one pair")
    return Estimate.of([float(a) - float(b) for a, b in zip(sample, reference, strict=True)])
