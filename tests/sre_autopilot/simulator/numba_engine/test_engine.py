"""The Numba engine against the NumPy engine: the same bits, whatever the number of lanes."""

import pkgutil

import numpy as np
import pytest

from sre_autopilot.simulator import parameters, rules
from sre_autopilot.simulator.batch import RESET, Engine, EpisodeQueue
from sre_autopilot.simulator.numba_engine.engine import NumbaEngine
from sre_autopilot.simulator.numba_engine.overloads import RULE_MODULES, rules_of
from sre_autopilot.simulator.numpy_engine import NumpyEngine
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.world.vocabulary import MAX_STEPS, Tier
from tests.sre_autopilot.simulator.scripts import script

pytestmark = pytest.mark.timeout(600)
"""The first test compiles, beside whatever else this machine does."""
LANES = 12
FITTED = parameters.load("process")


@pytest.mark.parametrize("tier", Tier)
def test_both_engines_give_the_same_bits(tier):
    engines: list[Engine] = [NumbaEngine(FITTED, LANES), NumpyEngine(FITTED, LANES)]
    queues = [EpisodeQueue(tier, range(LANES)) for _ in engines]
    scripts = np.array([script(lane) for lane in range(LANES)])
    for step in range(-1, MAX_STEPS + 3):
        actions = np.full((LANES, 2), RESET) if step < 0 else scripts[:, step % MAX_STEPS]
        outputs = [e.step(actions, queue) for e, queue in zip(engines, queues, strict=True)]
        np.testing.assert_array_equal(engines[0].x, engines[1].x)
        np.testing.assert_array_equal(engines[0].keys, engines[1].keys)
        for by_numba, by_numpy in zip(*outputs, strict=True):
            assert by_numba.dtype == by_numpy.dtype
            np.testing.assert_array_equal(by_numba, by_numpy)
    np.testing.assert_array_equal(queues[0].begun, queues[1].begun)


@pytest.mark.parametrize("engine", [NumbaEngine, NumpyEngine])
def test_an_episode_that_is_done_is_followed_by_the_next(engine):
    lanes, queue = engine(FITTED, 1), EpisodeQueue(Tier.CONTROL, [5])
    lanes.step(np.array([[RESET, 0]]), queue)
    wait = np.array([[layout.WAIT, 0]])
    for _ in range(MAX_STEPS - 1):
        assert not lanes.step(wait, queue).done[0]
    assert lanes.step(wait, queue).done[0]
    assert not lanes.step(wait, queue).done[0]
    assert (lanes.keys[0, layout.SEED], lanes.x[0, layout.STEP]) == (6, 0)


@pytest.mark.parametrize("lanes", [1, 7, 8, 9])
def test_masks_of_a_lane_do_not_spill_into_others(lanes):
    """Masks are written eight bytes at a time, each but the last group over the next one."""
    engines: list[Engine] = [NumbaEngine(FITTED, lanes), NumpyEngine(FITTED, lanes)]
    actions = np.full((lanes, 2), RESET)
    by_numba, by_numpy = (e.step(actions, EpisodeQueue(Tier.HARD, range(lanes))) for e in engines)
    np.testing.assert_array_equal(by_numba.action_masks, by_numpy.action_masks)
    assert by_numba.action_masks.shape[0] == lanes


def test_every_module_with_rules_is_compiled():
    names = {module.__name__ for module in RULE_MODULES}
    for info in pkgutil.iter_modules(rules.__path__, f"{rules.__name__}."):
        module = pkgutil.resolve_name(info.name)
        assert (info.name in names) == any(True for _ in rules_of(module)), info.name
