"""Wrappers that observe the history: one environment or many, and the same numbers."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from sre_autopilot.errors import InvalidValue
from sre_autopilot.history.features import action_mask, advance, history_count
from sre_autopilot.history.row_layout import STEP_FEATURE
from sre_autopilot.simulator.engines import NUMPY
from sre_autopilot.simulator.gym import ID
from sre_autopilot.simulator.gym.history_wrappers import HistoryVectorWrapper, HistoryWrapper
from sre_autopilot.simulator.gym.vector_env import SREAutopilotVectorEnv
from sre_autopilot.world.vocabulary import MAX_STEPS, Tier


def vector(num_envs, **options):
    return HistoryVectorWrapper(
        SREAutopilotVectorEnv(num_envs, Tier.EXPERT, engine=NUMPY, **options)
    )


@pytest.mark.filterwarnings("ignore:.*is different from the unwrapped version")
@pytest.mark.parametrize("trace_edges", [False, True])
def test_gymnasium_s_checker_has_no_complaint(trace_edges):
    env = HistoryWrapper(gymnasium.make(ID, tier=Tier.HARD, trace_edges=trace_edges))
    assert env.observation_space.shape == (history_count(trace_edges=trace_edges),)
    check_env(env, skip_render_check=True)


@pytest.mark.parametrize("trace_edges", [False, True])
def test_features_of_a_single_environment_are_those_of_a_vector(trace_edges):
    many, rng = vector(3, trace_edges=trace_edges), np.random.default_rng(0)
    one = HistoryWrapper(gymnasium.make(ID, tier=Tier.EXPERT, trace_edges=trace_edges))
    features, info = many.reset(seed=4)
    alone, _ = one.reset(seed=5)
    over = False
    while not over:
        np.testing.assert_array_equal(features[1], alone)
        assert many.observation_space.contains(features)
        mask = action_mask(features).reshape(info["action_mask"].shape)
        np.testing.assert_array_equal(mask, info["action_mask"])
        actions = rng.integers((0, 0), (5, 7), (3, 2))
        features, _, _, _, info = many.step(actions)
        alone, _, over, _, _ = one.step(actions[1])
    np.testing.assert_array_equal(features[1], alone)


def test_same_step_and_next_step_have_the_same_history():
    rng = np.random.default_rng(1)
    same, following = vector(4, autoreset_mode="SameStep"), vector(1)
    features, _ = same.reset(seed=7)
    expected, _ = following.reset(seed=7)
    ends = 0
    for _ in range(3 * MAX_STEPS):
        np.testing.assert_array_equal(features[0], expected[0])
        actions = rng.integers((0, 0), (5, 7), (4, 2))
        features, _, _, _, info = same.step(actions)
        expected, _, end, _, _ = following.step(actions[:1])
        if end[0]:
            ends += 1
            np.testing.assert_array_equal(info["final_obs"][0], expected[0])
            expected, _ = following.reset(seed=7 + 4 * ends)
    assert ends >= 2


def test_features_are_the_caller_s_to_keep_and_to_change():
    env, other = vector(2), vector(2)
    features, _ = env.reset(seed=1)
    other.reset(seed=1)
    features[:] = 7.0
    wait = [(4, 0)] * 2
    np.testing.assert_array_equal(env.step(wait)[0], other.step(wait)[0])


def test_lanes_that_begin_within_an_episode_know_what_is_at_hand():
    inner = SREAutopilotVectorEnv(8, Tier.HARD, engine=NUMPY)
    rows, _ = inner.reset(seed=3, options={"staggered": True})
    features, _ = HistoryVectorWrapper(inner).reset(seed=3, options={"staggered": True})
    first = rows.copy()
    first[:, STEP_FEATURE] = 0.0  # Their step, so that all begin.
    fresh = advance(np.zeros_like(features), first)
    np.testing.assert_array_equal(features[:, :252], fresh[:, :252])


def test_observations_of_another_environment_are_refused():
    with pytest.raises(InvalidValue, match="observation_space must be a Box of 41 or 62 numbers"):
        HistoryWrapper(gymnasium.make("CartPole-v1"))
