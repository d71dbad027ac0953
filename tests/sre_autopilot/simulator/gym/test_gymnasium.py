"""What trainers meet: Gymnasium's own checker, seeds, masks, the next episode, pictures."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from sre_autopilot.errors import UnknownName
from sre_autopilot.simulator.gym import ID
from sre_autopilot.simulator.gym.env import ANSI, RGB_ARRAY
from sre_autopilot.simulator.gym.vector_env import NUMPY, READINGS, SREAutopilotVectorEnv
from sre_autopilot.simulator.rules.features import MISSING, STEP
from sre_autopilot.world.topology import ENTRY, Service
from sre_autopilot.world.vocabulary import MAX_RESTARTS, MAX_STEPS, ActionName, Tier

ACTIONS, SERVICES = tuple(ActionName), tuple(Service)
WAIT = np.array([ACTIONS.index(ActionName.WAIT), 0])
RESTART = np.array([ACTIONS.index(ActionName.RESTART), 0])


@pytest.mark.parametrize("tier", Tier)
def test_gymnasium_finds_nothing_to_complain_of(tier):
    check_env(gymnasium.make(ID, tier=tier).unwrapped)


def vector(num_envs, tier=Tier.HARD):
    return gymnasium.make_vec(
        ID, num_envs, vectorization_mode="vector_entry_point", tier=tier, reading=NUMPY
    )


def test_a_vector_is_so_many_single_ones():
    many, one = vector(3), gymnasium.make(ID, tier=Tier.HARD)
    rows, info = many.reset(seed=11)
    row, alone = one.reset(seed=13)
    np.testing.assert_array_equal(rows[2], row)
    for _ in range(5):
        rows, _, _, _, info = many.step(np.tile(RESTART, (3, 1)))
        row, _, _, _, alone = one.step(RESTART)
        np.testing.assert_array_equal(rows[2], row)
        np.testing.assert_array_equal(info["action_mask"][2], alone["action_mask"])


def test_the_mask_says_what_the_world_would_refuse():
    env = gymnasium.make(ID, tier=Tier.CONTROL)
    _, info = env.reset(seed=1)
    entry = SERVICES.index(ENTRY)
    broken = ACTIONS.index(ActionName.CIRCUIT_BREAK)
    assert info["action_mask"].sum() == len(ACTIONS) * len(SERVICES) - 1
    assert info["action_mask"][broken, entry] == 0
    for _ in range(MAX_RESTARTS):
        _, _, _, _, info = env.step(RESTART)
    assert not info["action_mask"][RESTART[0]].any()
    assert info["action_mask"][WAIT[0]].all()


def test_the_reward_is_the_score_at_the_end_and_then_comes_the_next_episode():
    env = vector(2, Tier.CONTROL)
    env.reset(seed=5)
    for step in range(1, MAX_STEPS + 1):
        rows, rewards, terminated, truncated, _ = env.step(np.tile(WAIT, (2, 1)))
        assert (rows[:, STEP] == step).all() and not truncated.any()
    assert terminated.all() and (rewards > 0.9).all()
    rows, rewards, terminated, _, _ = env.step(np.tile(WAIT, (2, 1)))
    assert (rows[:, STEP] == 0).all() and not rewards.any() and not terminated.any()


@pytest.mark.parametrize("reading", READINGS)
def test_what_was_given_stays_as_it_was(reading):
    env = SREAutopilotVectorEnv(3, reading=reading)
    rows, info = env.reset(seed=1)
    given = (rows, info["action_mask"], *env.step(env.action_space.sample())[:3])
    before = [array.copy() for array in given]
    for _ in range(3):
        env.step(env.action_space.sample())
    for array, was in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, was)


def test_values_that_are_lost_are_marked():
    rows, _ = vector(64).reset(seed=0)
    assert 0.02 < (rows[:, :28] == MISSING).mean() < 0.09


def test_seeds_one_each_and_none_at_all():
    env = vector(2)
    one_each, _ = env.reset(seed=[13, 11])
    single, _ = vector(1).reset(seed=11)
    np.testing.assert_array_equal(one_each[1], single[0])
    rows, _ = env.reset()
    assert rows.shape == env.observation_space.shape


def test_pictures():
    env = gymnasium.make(ID, tier=Tier.EASY, render_mode=ANSI)
    env.reset(seed=2)
    told = str(env.render())
    assert all(service in told for service in Service)
    env = gymnasium.make(ID, tier=Tier.EASY, render_mode=RGB_ARRAY)
    env.reset(seed=2)
    env.step(WAIT)
    pixels = np.asarray(env.render())
    assert pixels.dtype == np.uint8 and pixels.ndim == 3


@pytest.mark.parametrize("wrong", [{"tier": "x"}, {"simulator_of": "x"}, {"reading": "x"}])
def test_what_is_not_known_is_named(wrong):
    with pytest.raises(UnknownName, match="x"):
        SREAutopilotVectorEnv(1, **wrong)
