"""Figures of many scores that few outliers do not move, with their intervals.

The definitions are those of Agarwal et al.: "Deep reinforcement learning at the edge of the
statistical precipice" (NeurIPS 2021): interquartile mean, probability of improvement, performance
profile, and the stratified bootstrap. A task is a tier. What the paper calls a run is an episode
here: a seed, played by a policy of one training. Pure; NumPy alone.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from sre_autopilot.evaluation.intervals import INTERVAL_PERCENTILES, Estimate
from sre_autopilot.world.draws import Stream

Floats = np.ndarray[Any, np.dtype[np.float64]]
Scores = Floats
"""(trainings, seeds) of one policy on one tier; one training where nothing was trained."""
Figure = Callable[[Floats], Floats]
"""Of the last axis: (..., values) -> (...,)."""

RESAMPLES = 2000
VALUES_AT_ONCE = 2_000_000
"""Resampled values in memory at the same time, 8 bytes each."""
TRIMMED = 4
"""One in four is cut off at each end."""


def mean(values: Floats) -> Floats:
    """Of the last axis."""
    averages: Floats = values.mean(axis=-1)
    return averages


def interquartile_mean(values: Floats) -> Floats:
    """Mean of the last axis without its lowest and its highest quarter, each rounded down, as
    `scipy.stats.trim_mean(values, 0.25)`.
    """
    count = values.shape[-1]
    cut = count // TRIMMED
    middle = np.sort(values, axis=-1)[..., cut : count - cut]
    return mean(middle)


def estimate(tiers: Sequence[Scores], figure: Figure, resamples: int = RESAMPLES) -> Estimate:
    """A figure of the scores of all tiers together, and its 95 % interval.

    tiers: of each the same number of scores, so that it weighs as much as any other.
    Stratified percentile bootstrap: within each tier seeds are drawn anew, and trainings, the same
    for all tiers; every training drawn is scored on every seed drawn. Seeded, so that equal scores
    give equal intervals. Raises ValueError without a tier, or for tiers of different shapes.
    """
    if len({scores.shape for scores in tiers}) != 1:
        raise ValueError("scores of one shape are needed, of one tier at least")
    pooled = figure(np.concatenate([scores.ravel() for scores in tiers]))
    drawn = np.concatenate([figure(values) for values in _resampled(tiers, resamples)])
    low, high = np.percentile(drawn, INTERVAL_PERCENTILES)
    return Estimate(float(pooled), float(low), float(high))


def _resampled(tiers: Sequence[Scores], resamples: int) -> Iterator[Floats]:
    """(resamples, values of all tiers), a part of the resamples at a time."""
    rng = np.random.default_rng(Stream.BOOTSTRAP)
    trainings, seeds = tiers[0].shape
    at_once = max(1, VALUES_AT_ONCE // (len(tiers) * trainings * seeds))
    for first in range(0, resamples, at_once):
        count = min(at_once, resamples - first)
        training = rng.integers(0, trainings, (count, trainings, 1))
        drawn = [scores[training, rng.integers(0, seeds, (count, 1, seeds))] for scores in tiers]
        yield np.stack(drawn, axis=1).reshape(count, -1)


def improvement(
    ours: Sequence[Scores], theirs: Sequence[Scores], resamples: int = RESAMPLES
) -> Estimate:
    """How probable a score of ours is above one of theirs, a tie counting half: the mean over tiers
    of Mann and Whitney's U over the number of pairs (1947), with its interval.

    Scores of each tier are drawn anew on either side. A pair is any two episodes of a tier, whether
    of one seed or not. Raises ValueError where the sides have different numbers of tiers.
    """
    rng = np.random.default_rng(Stream.BOOTSTRAP)
    pairs = list(zip(ours, theirs, strict=True))
    expected = _mean_above([(a.ravel(), b.ravel()) for a, b in pairs])
    drawn = [
        _mean_above(zip(_redrawn(ours, rng), _redrawn(theirs, rng), strict=True))
        for _ in range(resamples)
    ]
    low, high = np.percentile(drawn, INTERVAL_PERCENTILES)
    return Estimate(expected, float(low), float(high))


def _mean_above(pairs: Iterable[tuple[Floats, Floats]]) -> float:
    return float(np.mean([_above(ours, theirs) for ours, theirs in pairs]))


def _redrawn(tiers: Sequence[Scores], rng: np.random.Generator) -> list[Floats]:
    trainings = len(tiers[0])
    training = rng.integers(0, trainings, (trainings, 1))
    seeds = (rng.integers(0, scores.shape[1], (1, scores.shape[1])) for scores in tiers)
    return [scores[training, of_tier].ravel() for scores, of_tier in zip(tiers, seeds, strict=True)]


def _above(ours: Floats, theirs: Floats) -> float:
    ordered = np.sort(theirs)
    below = np.searchsorted(ordered, ours, side="left")
    not_above = np.searchsorted(ordered, ours, side="right")
    return float((below + not_above).mean() / (2.0 * len(theirs)))


def profile(tiers: Sequence[Scores], thresholds: Sequence[float]) -> list[Estimate]:
    """Share of the episodes that score more than each threshold, with its interval."""
    return [estimate(tiers, _share_above(threshold)) for threshold in thresholds]


def _share_above(threshold: float) -> Figure:
    return lambda values: mean(np.asarray(values > threshold, np.float64))
