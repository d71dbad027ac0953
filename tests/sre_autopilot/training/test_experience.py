"""Lanes as a learner plays them: what is rewarded, what is hidden, what an advantage is."""

from dataclasses import replace

import numpy as np
import pytest

from sre_autopilot.history.row_layout import SERVICE_COUNT
from sre_autopilot.simulator.engines import NUMPY
from sre_autopilot.simulator.gym.action_coding import FLAT_WAIT
from sre_autopilot.training.experience import (
    FLAG_COUNT,
    SEEDS_A_RUN,
    TRAINING_SEEDS_FROM,
    Acted,
    Lanes,
    Rollout,
    advantages,
    hidden_flags,
)
from sre_autopilot.training.recipe import SHIPPED, Recipe, recipe_text
from sre_autopilot.training.scoring import validation_seeds
from sre_autopilot.world.vocabulary import MAX_STEPS, SEED_SPLITS, ActionName, Tier

ROLLBACK = list(ActionName).index(ActionName.ROLLBACK)
ROLLBACKS = slice(ROLLBACK * SERVICE_COUNT, (ROLLBACK + 1) * SERVICE_COUNT)
RECIPE = replace(
    Recipe.parse(recipe_text(SHIPPED)),
    lanes=12,
    horizon=2 * MAX_STEPS,
    never_rollback_share=0.0,
    only_rollback_share=0.0,
)


def wait(inputs, masks, truth, state):
    """Counts its calls in the state."""
    nothing = np.zeros(len(inputs), np.float32)
    return Acted(np.full(len(inputs), FLAT_WAIT), nothing, nothing, state + 1.0)


@pytest.fixture(scope="module")
def shaped():
    return Lanes(RECIPE, 0, NUMPY, 0).play(wait)


@pytest.fixture(scope="module")
def terminal():
    return Lanes(replace(RECIPE, shaping=False), 0, NUMPY, 0).play(wait)


def test_seeds_of_trainings_are_in_no_split():
    assert max(split.stop for split in SEED_SPLITS.values()) < TRAINING_SEEDS_FROM
    assert 100 * RECIPE.samples < SEEDS_A_RUN
    assert {*validation_seeds(5)} < {*SEED_SPLITS["validation"]}


def test_shaped_rewards_add_up_to_the_score_less_what_could_be_reached(shaped, terminal):
    for lane in range(RECIPE.lanes):
        ends = np.flatnonzero(shaped.ends[:, lane])
        begins, end = ends[0] + 2, ends[1]  # a step between only begins the next episode
        potential = shaped.truth[begins, lane, -1]
        added = shaped.rewards[begins : end + 1, lane].sum()
        assert added == pytest.approx(terminal.rewards[end, lane] - potential, abs=1e-5)


def test_terminal_rewards_are_the_score_at_the_end_and_0_before(terminal):
    assert (terminal.rewards[terminal.ends] > 0).all()
    assert (terminal.rewards[~terminal.ends] == 0).all()


def test_a_step_that_begins_an_episode_is_not_one_to_learn_from(shaped):
    np.testing.assert_array_equal(~shaped.plays[1:], shaped.ends[:-1])


def test_the_lanes_of_a_world_begin_out_of_step():
    one_world = replace(RECIPE, worlds={"process": 1.0}, cpu_scales=(1.0,))
    rollout = Lanes(one_world, 0, NUMPY, 0).play(wait)
    assert len({*np.argmax(rollout.ends, axis=0)}) > RECIPE.lanes // 2


def test_equal_seeds_give_equal_rollouts_and_others_do_not(shaped):
    again = Lanes(RECIPE, 0, NUMPY, 0).play(wait)
    assert all(np.array_equal(a, b) for a, b in zip(shaped, again, strict=True))
    other = Lanes(RECIPE, 1, NUMPY, 0).play(wait)
    later = Lanes(RECIPE, 0, NUMPY, 50).play(wait)
    assert not np.array_equal(shaped.inputs, other.inputs)
    assert not np.array_equal(shaped.inputs, later.inputs)


def test_a_memory_goes_on_from_one_rollout_to_the_next():
    """The step that is only judged, after the last one, is the first of the next rollout."""
    lanes = Lanes(RECIPE, 0, NUMPY, 0)
    first, second = lanes.play(wait).first_state.copy(), lanes.play(wait).first_state
    assert first.shape == (RECIPE.lanes, RECIPE.memory)
    assert (first == 0.0).all() and (second == RECIPE.horizon).all()


def test_a_forbidden_rollback_is_masked_out():
    lanes = Lanes(RECIPE, 0, NUMPY, 0)
    lanes.begin_update(RECIPE.no_rollback_share)
    # The mask of the first step was there before.
    assert not lanes.play(wait).masks[1:, :, ROLLBACKS].any()
    lanes.begin_update(1.0)
    assert lanes.play(wait).masks[1:, :, ROLLBACKS].any(axis=(0, 2)).all()


@pytest.mark.parametrize("tier", [Tier.HARD, Tier.MEDIUM])
def test_some_lanes_never_roll_back_and_others_do_nothing_else_on_hard_for_a_while(tier):
    recipe = replace(RECIPE, never_rollback_share=0.25, only_rollback_share=0.25)
    lanes = Lanes(replace(recipe, tiers={tier: 1.0}), 0, NUMPY, 0)
    place = np.arange(RECIPE.lanes) % 4
    for progress in (recipe.kept_share, 1.0):
        lanes.begin_update(progress)
        kept = progress < 1.0
        masks = lanes.play(wait).masks[1:].any(axis=0)
        rollback, others = masks[:, ROLLBACKS].any(axis=1), masks[:, : ROLLBACKS.start].any(axis=1)
        np.testing.assert_array_equal(rollback, (place != 0) | (not kept))
        only = (place == 1) & (tier is Tier.HARD) & kept
        np.testing.assert_array_equal(others, ~only)
        assert masks[:, FLAT_WAIT].all()


def test_lanes_that_are_held_can_only_wait_on_control_and_are_free_elsewhere():
    tiers: dict[str, float] = {Tier.CONTROL: 0.5, Tier.EASY: 0.5}
    lanes = Lanes(replace(RECIPE, tiers=tiers, held_share=0.25), 0, NUMPY, 0)
    rollout = lanes.play(wait)
    faulty = rollout.truth[..., :FLAG_COUNT].any(axis=-1)
    can_act = rollout.masks[..., :FLAT_WAIT].any(axis=-1)
    np.testing.assert_array_equal(can_act[:, ::4], faulty[:, ::4])
    assert 0 < (~can_act).any(axis=0).sum() <= RECIPE.lanes // 4
    assert rollout.masks[..., FLAT_WAIT].all()


def test_flags_name_kind_root_and_cause():
    info = {
        "fault_kind": np.array([[1, 3], [0, 0]], np.int8),
        "fault_root": np.array([[2, 5], [-1, -1]], np.int8),
        "fault_cause": np.array([[-1, 1], [-1, -1]], np.int8),
        "fault_cured": np.array([[False, True], [False, False]]),
    }
    every = hidden_flags(info, uncured_only=False)
    assert every.shape == (2, FLAG_COUNT)
    expected = [2, 2 * SERVICE_COUNT + 5, 3 * SERVICE_COUNT + 1]
    assert np.argwhere(every).tolist() == [[0, place] for place in expected]
    assert np.argwhere(hidden_flags(info, uncured_only=True)).tolist() == [[0, 2]]


def test_an_advantage_does_not_reach_over_the_end_of_an_episode():
    column = np.zeros((4, 1), np.float32)
    rewards, ends = column.copy(), column.astype(bool)
    rewards[1], rewards[3], ends[1] = 1.0, 8.0, True
    values = np.array([[0.5], [0.25], [9.0], [2.0]], np.float32)
    rollout = Rollout(
        *(column,) * 5,
        values=values, rewards=rewards, ends=ends, plays=~ends, last_values=np.array([4.0]),
        first_state=column,
    )  # fmt: skip
    gains = advantages(rollout, 0.5)[:, 0]
    assert gains[1] == 1.0 - 0.25
    assert gains[0] == (0.25 - 0.5) + 0.5 * gains[1]
    assert gains[3] == 8.0 + 4.0 - 2.0
