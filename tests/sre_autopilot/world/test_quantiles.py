"""The table of quantiles against Python's own normal distribution."""

import math
from statistics import NormalDist

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from sre_autopilot.world.draws import key
from sre_autopilot.world.quantiles import OCTAVES, SEGMENTS, standard_normal, table

LOWER, UPPER = 0, 1 << 63
OUTERMOST, INNERMOST = 0, ((1 << 52) - 1) << 11
NORMAL = NormalDist()
SHARE = st.integers(0, (1 << 52) - 1)


@given(SHARE)
@example(0)
@example((1 << 52) - 1)
def test_a_draw_is_the_quantile_of_its_share(share: int) -> None:
    exact = NORMAL.inv_cdf((share + 0.5) * 2.0**-53)
    assert standard_normal(share << 11) == pytest.approx(exact, abs=5.1e-5)


@given(SHARE)
def test_both_sides_are_alike(share: int) -> None:
    assert standard_normal(UPPER | share << 11) == -standard_normal(LOWER | share << 11)


@given(SHARE, st.integers(0, (1 << 11) - 1))
def test_the_lowest_bits_do_not_matter(share: int, low: int) -> None:
    assert standard_normal(share << 11 | low) == standard_normal(share << 11)


@given(SHARE, SHARE)
def test_the_order_of_shares_is_that_of_draws(one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert standard_normal(low << 11) <= standard_normal(high << 11) <= 0.0


def test_the_ends() -> None:
    assert standard_normal(OUTERMOST) == table().quantile[0] == pytest.approx(-8.2924, abs=1e-4)
    assert -1e-15 < standard_normal(INNERMOST) < 0.0


def test_segments_meet() -> None:
    left, quantile, slope = table()
    assert len(left) == len(quantile) == len(slope) == OCTAVES * SEGMENTS
    for i in range(len(left) - 1):
        assert quantile[i] + (left[i + 1] - left[i]) * slope[i] == pytest.approx(quantile[i + 1])


def test_the_table_has_no_more_digits_than_machines_agree_on() -> None:
    assert all(math.isclose(round(q, 12), q, rel_tol=0.0, abs_tol=0.0) for q in table().quantile)


def test_draws_of_keys_are_normal() -> None:
    drawn = [standard_normal(key(11, 1, 0, index)) for index in range(20_000)]
    assert stats.kstest(drawn, "norm").pvalue > 1e-3
