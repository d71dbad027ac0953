"""The operations that rules are written in, against Python's own code."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from sre_autopilot.simulator.rules.array_ops import (
    fold_key,
    lower_uniform,
    normal_of_key,
    seed_key,
    stream_key,
    uniform_of_key,
    upper_uniform,
)
from sre_autopilot.simulator.rules.traffic import binomial, poisson
from sre_autopilot.world.draws import Stream, key, uniform
from sre_autopilot.world.quantiles import standard_normal

SEEDS = st.integers(0, 2**63 - 1)
STEPS = st.integers(0, 30)
INDICES = st.integers(0, 200)


def arrays(*parts):
    return (np.array([part], np.uint64) for part in parts)


@given(SEEDS, st.sampled_from(Stream), STEPS, INDICES)
def test_keys_and_uniforms_are_those_of_the_mesh(seed, stream, step, index):
    seeds, streams, indices = arrays(seed, stream, index)
    folded = fold_key(stream_key(seed_key(seeds), streams, np.array([float(step)])), indices)
    assert folded[0] == key(seed, stream, step, index)
    assert uniform_of_key(folded)[0] == uniform(seed, stream, step, index)
    assert 0.0 < lower_uniform(folded)[0] < 1.0 and 0.0 < upper_uniform(folded)[0] < 1.0


@given(st.integers(0, 2**64 - 1))
@example(0)
@example(2**63)
@example(2**63 - 1)
@example(2**64 - 1)
def test_normals_are_those_of_the_mesh_to_the_bit(key):
    assert normal_of_key(np.array([key], np.uint64))[0] == standard_normal(key)


@given(st.integers(0, 100), st.floats(0.0, 1.0), st.floats(-3.0, 3.0))
def test_losses_lie_between_none_and_all(n, share, z):
    lost = float(binomial(float(n), share, z))
    assert 0.0 <= lost <= n and lost == int(lost)
    assert binomial(float(n), 0.0, z) == 0.0
    assert binomial(float(n), 1.0, z) == n


@pytest.mark.parametrize("mean", [3.5, 9.4, 28.0])
def test_arrivals_have_the_mean_and_spread_of_poisson(mean):
    z = stats.norm.ppf((np.arange(100_000) + 0.5) / 100_000)
    drawn = poisson(mean, z)
    assert drawn.mean() == pytest.approx(mean, rel=0.02)
    assert drawn.var() == pytest.approx(mean, rel=0.06)
