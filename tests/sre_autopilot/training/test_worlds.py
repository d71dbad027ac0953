"""Lanes of several worlds step as those of one: each as it would by itself."""

from typing import Any

import numpy as np
import pytest

from sre_autopilot.simulator.engines import NUMPY
from sre_autopilot.simulator.gym.action_coding import FLAT_COUNT
from sre_autopilot.training.worlds import SideBySide, World, lanes_of

TIERS = {"medium": 0.5, "control": 0.5}
WORLDS = {World("process", 1.3): 3, World("docker"): 2}
SEEDS = (11, 900)
STEPS = 8


@pytest.mark.parametrize(
    ("shares", "cpu_scales", "lanes"),
    [
        ({"process": 1.0}, [1.0], {World("process"): 7}),
        ({"process": 2.0, "docker": 1.0}, [1.0], {World("process"): 5, World("docker"): 2}),
        ({"process": 0.0, "docker": 0.3}, [1.0], {World("docker"): 7}),
        ({"process": 1.0, "docker": 0.01}, [1.0], {World("process"): 7}),
        ({"process": 0.9}, [0.7, 1.4], {World("process", 0.7): 4, World("process", 1.4): 3}),
        (
            {"process": 4.0, "docker": 3.0},
            [0.7, 1.4],
            {
                World("process", 0.7): 2,
                World("process", 1.4): 2,
                World("docker", 0.7): 2,
                World("docker", 1.4): 1,
            },
        ),
    ],
)
def test_shares_become_whole_lanes(shares, cpu_scales, lanes):
    assert lanes_of(shares, cpu_scales, 7) == lanes


def played(worlds, seeds, actions):
    """What comes of the actions, (steps, lanes): rows, rewards, ends and masks."""
    env = SideBySide(worlds, TIERS, NUMPY)
    rows, info = env.reset(seeds)
    outs: list[tuple[Any, ...]] = [(rows, info["action_mask"])]
    for taken in actions:
        rows, rewards, ends, info = env.step(taken)
        outs.append((rows, rewards, ends, info["action_mask"], info["potential"]))
    return [[np.array(array) for array in out] for out in outs]


def test_each_world_is_what_it_is_by_itself():
    actions = np.random.default_rng(0).integers(0, FLAT_COUNT, (STEPS, 5))
    together = played(WORLDS, SEEDS, actions)
    alone = (
        played({World("process", 1.3): 3}, SEEDS[:1], actions[:, :3]),
        played({World("docker"): 2}, SEEDS[1:], actions[:, 3:]),
    )
    for both, one, other in zip(together, *alone, strict=True):
        for array, first, second in zip(both, one, other, strict=True):
            np.testing.assert_array_equal(array, np.concatenate([first, second]))
