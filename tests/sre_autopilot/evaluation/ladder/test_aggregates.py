"""The figures of the ladder, against their formulas and against values worked out by hand."""

import numpy as np
import pytest
from scipy import stats

from sre_autopilot.evaluation.intervals import interval
from sre_autopilot.evaluation.ladder.aggregates import (
    estimate,
    improvement,
    interquartile_mean,
    mean,
    profile,
)

DRAWS = np.random.default_rng(7)


def scores(*rows):
    return np.array(rows, np.float64)


@pytest.mark.parametrize("count", [1, 3, 4, 10, 41])
def test_interquartile_mean_is_the_trimmed_mean_of_the_middle_half(count):
    sample = DRAWS.random(count)
    assert interquartile_mean(sample) == pytest.approx(stats.trim_mean(sample, 0.25))


def test_outliers_do_not_move_the_interquartile_mean():
    assert interquartile_mean(scores([0.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 9.0])[0]) == 0.5


def test_an_interval_of_one_training_is_about_that_of_a_plain_bootstrap():
    sample = DRAWS.normal(0.7, 0.1, 60)
    of_mean = estimate([sample[None]], mean)
    assert of_mean.mean == pytest.approx(sample.mean())
    assert of_mean[1:] == pytest.approx(interval(sample.tolist()), abs=0.004)


def test_equal_scores_give_equal_intervals_and_a_constant_gives_none():
    sample = [DRAWS.random((2, 20)), DRAWS.random((2, 20))]
    assert estimate(sample, mean) == estimate(sample, mean)
    assert estimate([np.full((3, 5), 0.4)], interquartile_mean) == pytest.approx((0.4, 0.4, 0.4))


def test_trainings_that_differ_widen_the_interval_of_equal_seeds():
    seeds = DRAWS.normal(0.7, 0.01, 100)
    alike, unlike = (np.stack([seeds - gap, seeds, seeds + gap]) for gap in (0.0, 0.1))
    narrow, wide = (estimate([sample], mean) for sample in (alike, unlike))
    assert wide.mean == pytest.approx(narrow.mean)
    assert wide.high - wide.low > 10 * (narrow.high - narrow.low)


def test_tiers_weigh_alike_and_their_spread_between_each_other_is_no_uncertainty():
    low, high = np.full((1, 8), 0.2), np.full((1, 8), 0.8)
    assert estimate([low, high], mean) == pytest.approx((0.5, 0.5, 0.5))


@pytest.mark.parametrize("tiers", [[], [np.zeros((1, 3)), np.zeros((1, 4))]])
def test_tiers_of_different_shapes_are_refused(tiers):
    with pytest.raises(ValueError, match="one shape"):
        estimate(tiers, mean)


def test_improvement_is_the_share_of_pairs_won_with_ties_as_halves():
    ours, theirs = scores([0.5, 0.9]), scores([0.5, 0.1])
    # 0.5 ties with 0.5 and beats 0.1; 0.9 beats both.
    assert improvement([ours], [theirs]).mean == pytest.approx(3.5 / 4)
    assert improvement([theirs], [ours]).mean == pytest.approx(0.5 / 4)
    both = improvement([ours, theirs], [theirs, theirs], resamples=50)
    assert both.mean == pytest.approx((3.5 / 4 + 0.5) / 2)
    assert both.low <= both.mean <= both.high


def test_improvement_is_mann_and_whitneys_u_over_the_pairs():
    ours, theirs = DRAWS.random(13), DRAWS.random(9)
    u = stats.mannwhitneyu(ours, theirs).statistic
    computed = improvement([ours[None]], [theirs[None]], resamples=10).mean
    assert computed == pytest.approx(u / (13 * 9))


def test_a_profile_falls_from_threshold_to_threshold():
    shares = profile([scores([0.1, 0.5, 0.6, 0.9])], (0.0, 0.5, 0.95))
    assert [share.mean for share in shares] == [1.0, 0.5, 0.0]
    assert all(share.low <= share.mean <= share.high for share in shares)
