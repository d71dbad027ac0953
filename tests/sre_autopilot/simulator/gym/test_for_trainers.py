"""What trainers ask for beyond the defaults: flat actions, masks, phases, autoreset, curricula."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from sre_autopilot.errors import InvalidValue, UnknownName
from sre_autopilot.history.row_layout import ACTION_FEATURE, REFUSED_FEATURE, STEP_FEATURE
from sre_autopilot.simulator.engines import NUMPY
from sre_autopilot.simulator.gym import ID
from sre_autopilot.simulator.gym.action_coding import FLAT_COUNT
from sre_autopilot.simulator.gym.vector_env import SREAutopilotVectorEnv
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.world.vocabulary import MAX_STEPS, ActionName, Tier

ROLLBACK = str(ActionName.ROLLBACK)
SAME_STEP, NEXT_STEP = AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP


def vector(num_envs, tier=Tier.HARD, **options):
    return SREAutopilotVectorEnv(num_envs, tier, engine=NUMPY, **options)


def waits(num_envs):
    return np.tile((layout.WAIT, 0), (num_envs, 1))


def test_flat_actions_play_as_their_pairs_do():
    flat, pairs = vector(29, actions="flat"), vector(29)
    assert flat.single_action_space == gymnasium.spaces.Discrete(FLAT_COUNT)
    flat_rows, flat_info = flat.reset(seed=3)
    rows, info = pairs.reset(seed=3)
    for _ in range(3):
        np.testing.assert_array_equal(flat_rows, rows)
        joint = info["action_mask"].reshape(29, -1)[:, :FLAT_COUNT]
        np.testing.assert_array_equal(flat_info["action_mask"], joint)
        numbers = np.arange(FLAT_COUNT)
        flat_rows, _, _, _, flat_info = flat.step(numbers)
        rows, _, _, _, info = pairs.step(np.stack([numbers // 7, numbers % 7], axis=1))


@pytest.mark.parametrize("actions", [[-1, 0], [29, 0], [0], [[0, 0]] * 2, [0.5, 1], ["0", "1"]])
def test_a_flat_action_outside_of_its_space_is_refused(actions):
    env = vector(2, actions="flat")
    env.reset(seed=1)
    with pytest.raises(InvalidValue, match="actions must be 2 whole numbers, 0 to 28"):
        env.step(actions)


@pytest.mark.parametrize("actions", ["pairs", "flat"])
def test_masks_are_a_method_too(actions):
    env = gymnasium.make(ID, tier=Tier.EASY, actions=actions)
    _, info = env.reset(seed=1)
    masks = env.get_wrapper_attr("action_masks")()
    assert masks.dtype == np.bool_
    np.testing.assert_array_equal(masks, info["action_mask"])
    many = vector(3, actions=actions)
    _, info = many.reset(seed=1)
    np.testing.assert_array_equal(many.action_masks(), info["action_mask"])


@pytest.mark.parametrize(
    "options",
    [
        {"actions": "flat"},
        {"trace_edges": True},
        {"privileged": True, "tiers": {"easy": 0.5, "hard": 0.5}},
        {"actions": "flat", "forbidden": [ROLLBACK]},
    ],
)
def test_gymnasium_s_checker_has_no_complaint_about_options(options):
    check_env(gymnasium.make(ID, **options).unwrapped)


def test_a_forbidden_action_is_masked_out_and_played_as_wait():
    env, waiting = vector(2, forbidden=[ROLLBACK]), vector(2)
    rows, info = env.reset(seed=4)
    waiting.reset(seed=4)
    assert not info["action_mask"][:, layout.ROLLBACK].any()
    assert info["action_mask"][:, layout.RESTART].all()
    rows, _, _, _, _ = env.step([(layout.ROLLBACK, 6)] * 2)
    np.testing.assert_array_equal(rows, waiting.step(waits(2))[0])
    env.forbidden = ()
    _, _, _, _, info = env.step(waits(2))
    assert info["action_mask"][:, layout.ROLLBACK].all()
    rows, _, _, _, _ = env.step([(layout.ROLLBACK, 6)] * 2)
    assert (rows[:, ACTION_FEATURE] == layout.ROLLBACK).all()
    assert not rows[:, REFUSED_FEATURE].any()


def test_a_single_environment_forbids_too():
    env = gymnasium.make(ID, tier=Tier.HARD)
    env.reset(seed=1)
    env.set_wrapper_attr("forbidden", {ROLLBACK})
    _, _, _, _, info = env.step((layout.WAIT, 0))
    assert env.get_wrapper_attr("forbidden") == {ROLLBACK}
    assert not info["action_mask"][layout.ROLLBACK].any()


def test_same_step_begins_the_next_episode_in_the_last_step_of_the_one_before():
    """Episode by episode, the rows are those of the other mode, which takes a step more."""
    rng = np.random.default_rng(0)
    same, following = vector(4, autoreset_mode="SameStep"), vector(1)
    assert (same.metadata["autoreset_mode"], following.metadata["autoreset_mode"]) == (
        SAME_STEP,
        NEXT_STEP,
    )
    rows, info = same.reset(seed=[7, 8, 9, 10])
    expected, expected_info = following.reset(seed=8)
    ends = 0
    for _ in range(4 * MAX_STEPS):
        np.testing.assert_array_equal(rows[1], expected[0])
        np.testing.assert_array_equal(info["action_mask"][1], expected_info["action_mask"][0])
        actions = rng.integers((0, 0), (5, 7), (4, 2))
        rows, rewards, done, _, info = same.step(actions)
        expected, reward, end, _, expected_info = following.step(actions[1:2])
        assert (rewards[1], done[1]) == (reward[0], end[0])
        assert ("final_obs" in info) == done.any()
        if end[0]:
            ends += 1
            assert info["_final_obs"].tolist() == done.tolist()
            assert info["final_info"]["_action_mask"].tolist() == done.tolist()
            np.testing.assert_array_equal(info["final_obs"][1], expected[0])
            final_mask = info["final_info"]["action_mask"][1]
            np.testing.assert_array_equal(final_mask, expected_info["action_mask"][0])
            expected, expected_info = following.reset(seed=8 + 4 * ends)
    assert ends >= 3


def test_staggered_lanes_are_in_every_phase_of_an_episode_that_waited():
    env, one = vector(60), vector(1)
    rows, _ = env.reset(seed=100, options={"staggered": True})
    assert sorted(rows[:, STEP_FEATURE]) == sorted([*range(MAX_STEPS)] * 2)
    lane = int(np.flatnonzero(rows[:, STEP_FEATURE] == 4)[0])
    one.reset(seed=100 + lane)
    for _ in range(4):
        alone = one.step(waits(1))[0]
    np.testing.assert_array_equal(rows[lane], alone[0])
    for _ in range(MAX_STEPS + 1 - 4):
        rows, *_ = env.step(waits(60))
    np.testing.assert_array_equal(rows[lane], one.reset(seed=100 + lane + 60)[0][0])


def test_a_staggered_reset_may_be_repeated():
    env = vector(8)
    first, _ = env.reset(seed=3, options={"staggered": True})
    again, _ = env.reset(seed=3, options={"staggered": True})
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("seed", [np.int64(3), np.array([3, 4]), (3, 4)])
def test_seeds_may_be_numpy_s(seed):
    rows, _ = vector(2).reset(seed=seed)
    np.testing.assert_array_equal(rows, vector(2).reset(seed=3)[0])


def test_every_environment_of_a_vector_has_a_picture():
    assert vector(2).render() is None
    env = vector(2, render_mode="rgb_array")
    env.reset(seed=1)
    env.step(waits(2))
    pictures = env.render()
    assert env.render_mode == "rgb_array" and env.render_mode in env.metadata["render_modes"]
    assert pictures is not None and [p.dtype for p in pictures] == [np.uint8] * 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"actions": "x"}, "unknown actions 'x'; valid values: pairs, flat"),
        ({"autoreset_mode": "Disabled"}, "unknown autoreset_mode 'Disabled'; valid values: Next"),
        ({"autoreset_mode": AutoresetMode.DISABLED}, "valid values: NextStep, SameStep"),
        ({"render_mode": "human"}, "unknown render_mode 'human'; valid values: rgb_array"),
        ({"forbidden": ["x"]}, "unknown forbidden 'x'; valid values: restart"),
        ({"forbidden": "wait"}, "forbidden must be some of restart, .*, not 'wait'"),
        ({"tiers": {"x": 1}}, "unknown tiers 'x'; valid values: easy"),
        ({"tiers": {"easy": -1}}, "tiers must be a share from 0"),
        ({"tiers": {"easy": 0}}, "with a sum above 0"),
        ({"tiers": {}}, "with a sum above 0"),
        ({"tiers": {"easy": float("nan")}}, "tiers must be a share from 0"),
        ({"tiers": ["easy"]}, "tiers must be a share from 0"),
    ],
)
def test_bad_options_are_refused_by_name(options, message):
    with pytest.raises((UnknownName, InvalidValue), match=message):
        vector(1, **options)


def test_an_option_that_does_not_exist_is_refused():
    with pytest.raises(TypeError, match="'privileges'"):
        vector(1, privileges=True)


@pytest.mark.parametrize("options", [{"stagger": True}, {"staggered": 1}])
def test_bad_options_of_a_reset_are_refused_by_name(options):
    with pytest.raises((UnknownName, InvalidValue), match="stagger"):
        vector(1).reset(seed=1, options=options)
