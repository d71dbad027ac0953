"""The queue of episodes: which seed comes when, and that drawing ahead changes nothing."""

import numpy as np
import pytest

from sre_autopilot.simulator.batch import EpisodeQueue
from sre_autopilot.simulator.fault_table import Floats, draw_fault_table
from sre_autopilot.world.vocabulary import Tier


def begin(queue, lane):
    """What an engine does when an episode begins in a lane: seed and faults."""
    column = queue.begun[lane] % queue.seeds.shape[1]
    queue.begun[lane] += 1
    return int(queue.seeds[lane, column]), queue.faults[lane, column].copy()


def test_a_queue_needs_a_seed():
    with pytest.raises(ValueError, match="first_seeds"):
        EpisodeQueue(Tier.EASY, [])


def test_episodes_of_a_lane_follow_by_the_stride():
    queue = EpisodeQueue(Tier.EASY, [3, 10], 5)
    queue.prepare()
    assert [begin(queue, 0)[0] for _ in range(3)] == [3, 8, 13]
    assert begin(queue, 1)[0] == 10


def test_the_stride_is_the_number_of_lanes_unless_given():
    queue = EpisodeQueue(Tier.EASY, [3, 10])
    assert queue.seeds[:, 1].tolist() == [5, 12]


@pytest.mark.parametrize("tier", [Tier.HARD, Tier.EXPERT])
def test_episodes_never_repeat_however_unevenly_lanes_begin_them(tier):
    queue, rng = EpisodeQueue(tier, range(4)), np.random.default_rng(0)
    episodes: list[list[tuple[int, Floats]]] = [[], [], [], []]
    for _ in range(400):
        queue.prepare()
        for lane in map(int, np.flatnonzero(rng.random(4) < [1.0, 0.5, 0.1, 0.02])):
            episodes[lane].append(begin(queue, lane))
    assert len(episodes[0]) == 400
    for lane, played in enumerate(episodes):
        seeds = np.array([seed for seed, _ in played], np.uint64)
        np.testing.assert_array_equal(seeds, lane + 4 * np.arange(len(played)))
        faults = np.array([faults for _, faults in played])
        np.testing.assert_array_equal(faults, draw_fault_table(tier, seeds))


def test_many_lanes_draw_few_episodes_ahead():
    assert EpisodeQueue(Tier.CONTROL, range(20_000)).seeds.shape == (20_000, 4)


def test_seeds_beyond_64_bits_begin_again_at_zero():
    queue = EpisodeQueue(Tier.CONTROL, [2**64 - 1], 1)
    assert queue.seeds[0, :2].tolist() == [2**64 - 1, 0]
