"""Numba's reading against NumPy's: the same bits, whatever the number of lanes."""

import numpy as np
import pytest

from sre_autopilot.simulator import parameters
from sre_autopilot.simulator.batch import BEGIN, seat
from sre_autopilot.simulator.numba_engine.engine import Kernel
from sre_autopilot.simulator.numpy_engine import Reference
from sre_autopilot.simulator.rules import state_layout as at
from sre_autopilot.world.vocabulary import MAX_STEPS, Tier
from tests.sre_autopilot.simulator.scripts import script

pytestmark = pytest.mark.timeout(600)
"""The first one compiles, beside whatever else this machine does."""
LANES = 12
FITTED = parameters.load("process")


@pytest.mark.parametrize("tier", Tier)
def test_both_readings_give_the_same_bits(tier):
    compiled, numpy = Kernel(FITTED, LANES), Reference(FITTED, LANES)
    seats = [seat(tier, range(2 * LANES), LANES) for _ in range(2)]
    scripts = np.array([script(lane) for lane in range(LANES)])
    for step in range(-1, MAX_STEPS + 3):
        moves = np.full((LANES, 2), BEGIN) if step < 0 else scripts[:, step % MAX_STEPS]
        shown, same = compiled.step(moves, seats[0]), numpy.step(moves, seats[1])
        np.testing.assert_array_equal(compiled.x, numpy.x)
        for these, those in zip(shown, same, strict=True):
            np.testing.assert_array_equal(these, those)
    np.testing.assert_array_equal(seats[0].rows, seats[1].rows)


def test_after_an_episode_comes_the_next():
    lanes, taken = Kernel(FITTED, 1), seat(Tier.CONTROL, [5, 6], 1)
    lanes.step(np.array([[BEGIN, 0]]), taken)
    for _ in range(MAX_STEPS):
        assert not lanes.x[0, at.DONE]
        lanes.step(np.array([[at.WAIT, 0]]), taken)
    assert lanes.x[0, at.DONE]
    lanes.step(np.array([[at.WAIT, 0]]), taken)
    assert (lanes.keys[0, at.SEED], lanes.x[0, at.STEP]) == (6, 0)
