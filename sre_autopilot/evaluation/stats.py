"""Distances of two samples, and correlations and rank violations of two rankings. Pure."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

FEWEST_PAIRS = 2
Floats = np.ndarray[Any, np.dtype[np.float64]]


def spread(sample: ArrayLike) -> float:
    """Interquartile range of a sample, or its standard deviation where that is larger.

    The standard deviation is the floor: an error rate that is 0 in three of four windows has no
    interquartile range. A normal sample's interquartile range is 1.35 standard deviations, so that
    the floor is out of sight where it is not needed.
    """
    values = _sample(sample)
    low, high = np.quantile(values, (0.25, 0.75))
    return max(float(high - low), float(np.std(values)))


def wasserstein(a: ArrayLike, b: ArrayLike, *, reference: ArrayLike | None = None) -> float:
    """1-Wasserstein distance, the area between the two empirical distribution functions (Ramdas,
    Garcia Trillos, Cuturi: "On Wasserstein two-sample testing", Entropy 2017), over the spread of
    the reference: by default of both samples pooled.

    Without a unit; 0 for equal samples, inf where they differ and the reference does not vary.
    """
    first, second = _sample(a), _sample(b)
    distance = float(stats.wasserstein_distance(first, second))
    if distance == 0.0:
        return 0.0
    scale = spread(np.concatenate((first, second)) if reference is None else reference)
    return distance / scale if scale else float("inf")


def kolmogorov_smirnov(a: ArrayLike, b: ArrayLike) -> float:
    """Greatest difference of the two empirical distribution functions, 0..1 (Smirnov 1948).

    No p-value: windows of one episode depend on each other.
    """
    first, second = np.sort(_sample(a)), np.sort(_sample(b))
    at = np.concatenate((first, second))
    # SciPy's ks_2samp works out a p-value with it, and warns where a sample is too small for one.
    shares = (np.searchsorted(sample, at, side="right") / sample.size for sample in (first, second))
    return float(np.abs(np.subtract(*shares)).max())


def pearson(a: ArrayLike, b: ArrayLike) -> float:
    """Linear correlation, -1..1; nan for fewer than two pairs, or where one side does not vary."""
    first, second = _pairs(a, b)
    if min(len(set(first.tolist())), len(set(second.tolist()))) < FEWEST_PAIRS:
        return float("nan")
    return float(stats.pearsonr(first, second).statistic)


def spearman(a: ArrayLike, b: ArrayLike) -> float:
    """Pearson's correlation of the ranks, ties sharing the mean of theirs (Spearman 1904)."""
    first, second = _pairs(a, b)
    return pearson(stats.rankdata(first), stats.rankdata(second))


def mmrv(real_means: ArrayLike, sim_means: ArrayLike) -> float:
    """Mean maximum rank violation (Li et al.: SIMPLER, arXiv 2405.05941, section IV): the mean over
    policies i of max over j of |real_i - real_j|, of those j for which sim_i < sim_j says other
    than real_i < real_j.

    In units of the score: what trusting the simulator's ranking costs at worst, on average. 0 where
    both rank alike. Raises ValueError for no policy.
    """
    real, sim = _pairs(real_means, sim_means)
    if not real.size:
        raise ValueError("a ranking needs at least one policy")
    violated = (real[:, None] < real) != (sim[:, None] < sim)
    lost = np.abs(real[:, None] - real) * violated
    return float(lost.max(axis=1).mean())


def autocorrelation(series: ArrayLike, lag: int = 1) -> float:
    """Of a series in order of time, at a lag in steps (Box, Jenkins: "Time series analysis", 1970):
    sum of (x_t - m)(x_(t + lag) - m) over sum of (x_t - m)^2, m being the mean.

    Steps without a value (nan) are left out with the pairs they are in; nan for a series that is
    not longer than the lag, does not vary, or has no such pair.
    """
    values = np.asarray(series, np.float64)
    present = values[~np.isnan(values)]
    if len(present) <= lag or np.all(present == present[0]):
        return float("nan")
    off = values - present.mean()
    products = off[:-lag] * off[lag:]
    if np.isnan(products).all():
        return float("nan")
    return float(np.nansum(products) / np.nansum(off**2))


def _sample(values: ArrayLike) -> Floats:
    """Raises ValueError for an empty sample, or one with nan in it."""
    sample = np.asarray(values, np.float64).ravel()
    if not sample.size or np.isnan(sample).any():
        raise ValueError("a sample needs values, and none of them nan")
    return sample


def _pairs(a: ArrayLike, b: ArrayLike) -> tuple[Floats, Floats]:
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.shape != second.shape:
        raise ValueError(f"pairs are needed, not {first.size} and {second.size} values")
    return first, second
