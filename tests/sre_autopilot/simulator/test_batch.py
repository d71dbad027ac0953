"""The queue of episodes: which seed comes when."""

from typing import Any

import numpy as np
import pytest

from sre_autopilot.simulator.batch import EpisodeQueue
from sre_autopilot.world.vocabulary import Tier


def test_a_queue_needs_a_seed():
    with pytest.raises(ValueError, match="first_seeds"):
        EpisodeQueue(Tier.EASY, [])


def test_episodes_of_a_lane_follow_by_the_stride():
    queue = EpisodeQueue(Tier.EASY, [3, 10], 5)
    assert [queue.begin([0])[0] for _ in range(3)] == [3, 8, 13]
    assert queue.begin([1])[0] == 10
    assert queue.begun.tolist() == [3, 1]


def test_the_stride_is_the_number_of_lanes_unless_given():
    queue = EpisodeQueue(Tier.EASY, [3, 10])
    queue.begin([0, 1])
    assert queue.begin([0, 1]).tolist() == [5, 12]


def test_episodes_never_repeat_however_unevenly_lanes_begin_them():
    queue, rng = EpisodeQueue(Tier.HARD, range(4)), np.random.default_rng(0)
    seeds: list[list[Any]] = [[], [], [], []]
    for _ in range(400):
        lanes = np.flatnonzero(rng.random(4) < [1.0, 0.5, 0.1, 0.02])
        for lane, seed in zip(lanes, queue.begin(lanes), strict=True):
            seeds[lane].append(seed)
    assert len(seeds[0]) == 400
    for first, of_lane in enumerate(seeds):
        assert of_lane == [first + 4 * k for k in range(len(of_lane))]


def test_an_episode_that_is_put_back_comes_next():
    queue = EpisodeQueue(Tier.EASY, [3, 10])
    queue.begin([0, 1])
    queue.put_back([1])
    assert queue.begin([0, 1]).tolist() == [5, 10]


def test_a_tier_is_drawn_by_its_share():
    queue = EpisodeQueue({Tier.MEDIUM: 3.0, Tier.EXPERT: 1.0}, [0])
    tiers = np.array([*Tier])[queue.tiers_of(np.arange(20_000, dtype=np.uint64))]
    assert set(tiers) == {Tier.MEDIUM, Tier.EXPERT}
    assert (tiers == Tier.MEDIUM).mean() == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize("tier", Tier)
def test_a_single_tier_is_that_of_every_episode(tier):
    seeds = np.array([0, 1, 2**64 - 1], np.uint64)
    assert [[*Tier][n] for n in EpisodeQueue(tier, [0]).tiers_of(seeds)] == [tier] * 3


def test_seeds_beyond_64_bits_begin_again_at_zero():
    queue = EpisodeQueue(Tier.CONTROL, [2**64 - 1], 1)
    assert [int(queue.begin([0])[0]) for _ in range(2)] == [2**64 - 1, 0]
