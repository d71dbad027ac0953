"""Draws are keyed, golden on every machine, and distributed as they say."""

import math
from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sre_autopilot.world.draws import (
    Stream,
    choice,
    in_turn,
    integer_between,
    key,
    log_normal,
    mix,
    normal,
    uniform,
    uniform_between,
)

WORD = st.integers(0, 2**64 - 1)
DRAW = st.floats(0.0, 1.0, exclude_max=True)
SEEDS = range(4_000)


def test_mix_is_splitmix64() -> None:
    """The first outputs of SplitMix64 from state 0, as its reference implementation gives them."""
    golden = 0x9E37_79B9_7F4A_7C15
    states = [golden * n & (2**64 - 1) for n in (1, 2, 3)]
    assert [mix(state) for state in states] == [
        0xE220_A839_7B1D_CDAF,
        0x6E78_9E6A_A1B9_65F4,
        0x06C4_5D18_8009_454F,
    ]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((0, 1, 0, 0), 0xD100_827A_A323_C935),
        ((42, Stream.CURE, 7, 3), 0x345C_EFCE_4AED_BA4C),
        ((209_999, Stream.SPAN_LOSS, 30, 1_000), 0x7EED_411C_16F2_1514),
        ((-1, Stream.FAULT, 1 << 32, 0), 0x3ED5_BE15_D62B_D6C4),
    ],
)
def test_golden_keys(parts: tuple[int, int, int, int], expected: int) -> None:
    assert key(*parts) == expected


def test_golden_values() -> None:
    assert uniform(42, Stream.FAULT, 0, 1) == 0.5600903988713787
    assert normal(42, Stream.LATENCY_NOISE, 5, 6) == -1.6340626290935722


@given(WORD, WORD)
def test_mix_never_collides(a: int, b: int) -> None:
    assert (mix(a) == mix(b)) == (a == b)


@given(WORD, st.sampled_from(Stream), st.integers(0, 30), st.integers(0, 10_000))
def test_a_uniform_lies_in_the_half_open_unit(seed: int, stream: Stream, step: int, i: int) -> None:
    assert 0.0 <= uniform(seed, stream, step, i) < 1.0


def test_every_part_of_the_key_counts_by_its_place() -> None:
    parts = [(1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1), (0, 0, 0, 0)]
    assert len({key(*p) for p in parts}) == len(parts)


@pytest.mark.parametrize("stream", Stream)
def test_uniforms_are_uniform(stream: Stream) -> None:
    drawn = [uniform(seed, stream, 3, 1) for seed in SEEDS]
    assert stats.kstest(drawn, "uniform").pvalue > 1e-3


@pytest.mark.parametrize(
    "other", [(1, Stream.FAULT, 0, 0), (0, Stream.CURE, 0, 0), (0, Stream.FAULT, 1, 0)]
)
def test_neighbouring_keys_are_unrelated(other: tuple[int, int, int, int]) -> None:
    offset, stream, step, index = other
    here = [uniform(seed, Stream.FAULT) for seed in SEEDS]
    there = [uniform(seed + offset, stream, step, index) for seed in SEEDS]
    assert abs(stats.pearsonr(here, there).statistic) < 4 / math.sqrt(len(SEEDS))


def test_normals_are_normal() -> None:
    drawn = [normal(7, Stream.CPU_NOISE, step, index) for step in range(30) for index in range(200)]
    assert stats.kstest(drawn, "norm").pvalue > 1e-3
    assert fmean(drawn) == pytest.approx(0.0, abs=0.05)
    assert pstdev(drawn) == pytest.approx(1.0, abs=0.05)


@given(DRAW, st.integers(-50, 50), st.integers(0, 20))
def test_integers_have_both_ends(draw: float, low: int, width: int) -> None:
    assert low <= integer_between(low, low + width, draw) <= low + width
    assert integer_between(low, low + width, 0.0) == low
    assert integer_between(low, low + width, math.nextafter(1.0, 0.0)) == low + width


@given(DRAW)
def test_reals_stay_in_their_range(draw: float) -> None:
    assert 26.0 <= uniform_between(26.0, 36.0, draw) <= 36.0


def test_choices_are_equally_likely() -> None:
    drawn = [choice("abcd", uniform(seed, Stream.POLICY)) for seed in SEEDS]
    counts = [drawn.count(option) for option in "abcd"]
    assert stats.chisquare(counts).pvalue > 1e-3


def test_log_normal_has_its_median() -> None:
    assert log_normal(20.0, 0.3, 0.0) == 20.0
    assert log_normal(20.0, 0.3, 1.0) == pytest.approx(20.0 * math.exp(0.3))


@given(st.integers(0, 2**40), st.integers(2, 7))
def test_seeds_in_a_row_take_each_option_once(block: int, turns: int) -> None:
    seeds = range(turns * block, turns * (block + 1))
    drawn = [choice(range(turns), in_turn(seed, Stream.FAULT, turns)) for seed in seeds]
    assert sorted(drawn) == list(range(turns))


def test_draws_in_turn_are_uniform_and_begin_anywhere() -> None:
    drawn = [in_turn(seed, Stream.FAULT, 3) for seed in SEEDS]
    assert all(0.0 <= u < 1.0 for u in drawn)
    assert stats.kstest(drawn, "uniform").pvalue > 1e-3
    first = [choice(range(3), u) for u in drawn[::3]]
    assert stats.chisquare([first.count(option) for option in range(3)]).pvalue > 1e-3
