"""Intervals enclose their mean, shrink with more values, and are the same twice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sre_autopilot.evaluation.intervals import Estimate, interval, paired_gap
from sre_autopilot.world.draws import Stream

WHOLE = st.integers(-50, 50).map(float)
PAIRS = st.lists(st.tuples(WHOLE, WHOLE), min_size=1, max_size=12)


@given(st.lists(st.floats(0.01, 0.99), min_size=2, max_size=30))
def test_interval_lies_within_the_sample(scores):
    low, high = interval(scores)
    assert min(scores) - 1e-9 <= low <= high <= max(scores) + 1e-9


def test_interval_shrinks_with_more_episodes():
    few, many = interval([0.2, 0.8] * 3), interval([0.2, 0.8] * 50)
    assert many[1] - many[0] < few[1] - few[0]


def test_interval_of_equal_values_is_that_value():
    assert interval([0.7]) == interval([0.7] * 5) == (0.7, 0.7)


@pytest.mark.parametrize("size", [2, 10, 200])
def test_interval_equals_that_of_scipy(size):
    sample = np.random.default_rng(size).random(size)
    rng = np.random.default_rng(Stream.BOOTSTRAP)
    reference = stats.bootstrap((sample,), np.mean, method="percentile", rng=rng)
    assert interval(sample.tolist()) == tuple(reference.confidence_interval)


def test_paired_gap_by_hand():
    assert paired_gap([0.5, 0.75], [0.25, 0.5]) == (0.25, 0.25, 0.25)


@given(PAIRS)
def test_paired_gap_lies_in_its_interval_and_is_the_same_twice(pairs):
    sim, real = zip(*pairs, strict=True)
    gap = paired_gap(sim, real)
    differences = np.subtract(sim, real)
    assert gap == paired_gap(sim, real)
    assert gap.mean == pytest.approx(differences.mean())
    assert differences.min() - 1e-9 <= gap.low <= gap.high <= differences.max() + 1e-9


def test_paired_gap_of_no_pair_is_an_error():
    with pytest.raises(ValueError, match="at least one pair"):
        paired_gap([], [])


def test_pairs_of_unequal_lengths_are_an_error():
    with pytest.raises(ValueError, match="2 and 1"):
        paired_gap([1.0, 2.0], [1.0])


def test_estimate_writes_its_interval_with_and_without_signs():
    estimate = Estimate(0.1, -0.05, 0.25)
    assert estimate.interval == "-0.050 .. 0.250"
    assert estimate.signed_interval == "-0.050 .. +0.250"
