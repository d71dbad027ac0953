"""Regret and luck: arithmetic over any values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_autopilot.debrief.ledger import judge, standard_error


@given(seed=st.integers(0, 2**32), steps=st.integers(1, 8), candidates=st.integers(1, 5))
def test_the_score_is_the_start_less_regrets_plus_luck_whatever_the_values(seed, steps, candidates):
    rng = np.random.default_rng(seed)
    values = rng.random((steps, candidates, 3))
    taken, advised = rng.integers(0, candidates, (2, steps))
    judged = judge(values, taken, advised, reached=0.4)
    ends = judged.value[0] - judged.regret.sum(axis=0) + judged.luck.sum(axis=0)
    assert ends == pytest.approx(0.4, abs=1e-12)
    assert (judged.regret.mean(axis=1) >= 0.0).all()


def test_a_gain_that_may_be_chance_leaves_the_taken_action_the_best():
    noisy = np.array([[[0.5, 0.5, 0.5], [0.2, 0.9, 0.5]]])
    assert judge(noisy, np.array([0]), np.array([1]), 0.5).best.tolist() == [0]


def test_a_sure_gain_is_a_regret():
    values = np.array([[[0.5, 0.4, 0.5], [0.7, 0.6, 0.7]]])
    judged = judge(values, np.array([0]), np.array([0]), 0.5)
    assert judged.best.tolist() == [1]
    assert judged.regret.mean() == pytest.approx(0.2)


def test_of_equal_actions_the_advised_one_is_the_best():
    values = np.array([[[0.5, 0.4], [0.7, 0.6], [0.7, 0.6]]])
    assert judge(values, np.array([0]), np.array([2]), 0.5).best.tolist() == [2]


def test_candidates_without_values_are_passed_over():
    values = np.array([[[np.nan, np.nan], [0.7, 0.6]]])
    judged = judge(values, np.array([1]), np.array([1]), 0.6)
    assert judged.best.tolist() == [1]
    assert judged.luck.mean() == pytest.approx(0.6 - 0.65)


def test_a_standard_error_is_that_of_the_mean():
    assert standard_error(np.array([1.0, 3.0])) == pytest.approx(1.0)
