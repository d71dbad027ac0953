"""Distances are what was computed by hand, and have the properties of distances."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sre_autopilot.evaluation.stats import (
    autocorrelation,
    kolmogorov_smirnov,
    mmrv,
    pearson,
    spearman,
    spread,
    wasserstein,
)

WHOLE = st.integers(-50, 50).map(float)
SAMPLES = st.lists(WHOLE, min_size=1, max_size=20)
PAIRS = st.lists(st.tuples(WHOLE, WHOLE), min_size=1, max_size=12)


def test_the_spread_is_the_interquartile_range():
    assert spread([0, 1, 2, 3, 4]) == 2.0


def test_where_most_are_equal_the_spread_is_the_standard_deviation():
    assert spread([0] * 9 + [1]) == pytest.approx(0.3)
    assert spread([5, 5, 5]) == 0.0


@given(SAMPLES, st.integers(1, 9), WHOLE)
def test_a_spread_scales_and_stays_where_all_is_shifted(sample, factor, shift):
    moved = [factor * value + shift for value in sample]
    assert spread(moved) == pytest.approx(factor * spread(sample), abs=1e-9)


def test_wasserstein_is_the_shift_over_the_spread():
    assert wasserstein([1, 2, 3, 4, 5], [0, 1, 2, 3, 4], reference=[0, 1, 2, 3, 4]) == 0.5
    assert wasserstein([0, 0], [1, 1]) == 1.0


def test_wasserstein_without_a_unit_to_measure_in():
    assert wasserstein([1.0], [2.0], reference=[2.0, 2.0]) == math.inf
    assert wasserstein([2.0], [2.0], reference=[2.0, 2.0]) == 0.0


def test_kolmogorov_smirnov_is_the_largest_step_between():
    assert kolmogorov_smirnov([1, 2, 3, 4], [3, 4, 5, 6]) == 0.5
    assert kolmogorov_smirnov([1, 2], [3, 4]) == 1.0


@pytest.mark.filterwarnings("ignore:ks_2samp", "ignore:divide by zero")
@given(SAMPLES, SAMPLES)
def test_kolmogorov_smirnov_is_what_scipy_says(a, b):
    assert kolmogorov_smirnov(a, b) == pytest.approx(stats.ks_2samp(a, b).statistic)


@pytest.mark.parametrize("distance", [wasserstein, kolmogorov_smirnov])
@given(a=SAMPLES, b=SAMPLES)
def test_a_distance_is_symmetric_and_0_for_equal_samples(distance, a, b):
    assert distance(a, a) == 0.0
    assert distance(a, b) == pytest.approx(distance(b, a))
    assert distance(a, b) >= 0.0
    assert (distance(a, b) == 0.0) or sorted(a) != sorted(b)


@pytest.mark.parametrize("distance", [wasserstein, kolmogorov_smirnov])
@pytest.mark.parametrize("sample", [[], [1.0, math.nan]])
def test_a_sample_has_values(distance, sample):
    with pytest.raises(ValueError, match="sample"):
        distance(sample, [1.0])


def test_correlations_by_hand():
    assert pearson([1, 2, 3], [2, 4, 6]) == pytest.approx(1.0)
    assert pearson([1, 2, 3], [1, 3, 2]) == pytest.approx(0.5)
    assert spearman([1, 2, 100], [1, 3, 2]) == pytest.approx(0.5)
    assert spearman([1, 10, 100], [3, 2, 1]) == pytest.approx(-1.0)


def test_ties_share_a_rank():
    assert spearman([1, 2, 2, 3], [1, 2, 2, 3]) == pytest.approx(1.0)
    assert spearman([1, 1, 2], [1, 2, 3]) == pytest.approx(math.sqrt(0.75))


@pytest.mark.parametrize("correlation", [pearson, spearman])
@pytest.mark.parametrize("pairs", [([], []), ([1], [2]), ([1, 1], [1, 2]), ([1, 2], [3, 3])])
def test_no_correlation_where_nothing_varies(correlation, pairs):
    assert math.isnan(correlation(*pairs))


def test_mmrv_by_hand():
    """Policies 0 and 1 are ranked the wrong way; 2 is where it should be."""
    assert mmrv([0.5, 0.7, 0.9], [0.6, 0.5, 0.9]) == pytest.approx((0.2 + 0.2 + 0.0) / 3)


def test_mmrv_counts_the_worst_violation_of_each():
    assert mmrv([0.1, 0.2, 0.5], [0.9, 0.8, 0.7]) == pytest.approx((0.4 + 0.3 + 0.4) / 3)


def test_mmrv_of_a_tie_counts_from_one_side():
    assert mmrv([0.4, 0.6], [0.5, 0.5]) == pytest.approx((0.2 + 0.0) / 2)


@given(st.lists(WHOLE, min_size=1, max_size=10), st.integers(1, 5), WHOLE)
def test_mmrv_is_0_where_the_ranks_agree(means, factor, shift):
    assert mmrv(means, [factor * mean + shift for mean in means]) == 0.0


@given(PAIRS)
def test_mmrv_lies_between_0_and_the_range_of_the_real_means(pairs):
    real, sim = zip(*pairs, strict=True)
    assert 0.0 <= mmrv(real, sim) <= max(real) - min(real)


def test_a_ranking_of_no_policies_is_an_error():
    with pytest.raises(ValueError, match="policy"):
        mmrv([], [])


@pytest.mark.parametrize("measure", [pearson, spearman, mmrv])
def test_pairs_are_pairs(measure):
    with pytest.raises(ValueError, match="2 and 1"):
        measure([1, 2], [1])


def test_autocorrelation_by_hand():
    assert autocorrelation([1, 2, 3, 4, 5]) == pytest.approx(4 / 10)
    assert autocorrelation([1, -1, 1, -1]) == pytest.approx(-3 / 4)
    assert autocorrelation([1, 0, -1, 0], lag=2) == pytest.approx(-1 / 2)


def test_a_step_without_a_value_is_left_out_with_its_pairs():
    """Known: 1, -1, 1, -1, of which the pairs (1, -1) at both ends are whole."""
    assert autocorrelation([1, -1, math.nan, 1, -1]) == pytest.approx(-2 / 4)


@pytest.mark.parametrize("series", [[], [1], [2, 2, 2], [math.nan] * 4, [1, math.nan, 2]])
def test_no_autocorrelation_where_nothing_follows(series):
    assert math.isnan(autocorrelation(series))


@given(st.lists(WHOLE, min_size=2, max_size=30))
def test_an_autocorrelation_is_between_minus_1_and_1(series):
    value = autocorrelation(series)
    assert math.isnan(value) or -1.0 - 1e-9 <= value <= 1.0 + 1e-9
