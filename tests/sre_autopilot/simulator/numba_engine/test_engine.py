"""The Numba engine against the NumPy engine: the same bits, whatever the number of lanes."""

import os
import pkgutil
from pathlib import Path

import numpy as np
import pytest

from sre_autopilot.errors import InvalidValue
from sre_autopilot.simulator import parameters, rules
from sre_autopilot.simulator.batch import Engine, EpisodeQueue
from sre_autopilot.simulator.numba_engine import compiled as compiled_module
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
        actions = scripts[:, step % MAX_STEPS]
        outputs = [
            engine.begin(queue) if step < 0 else engine.step(actions, queue)
            for engine, queue in zip(engines, queues, strict=True)
        ]
        np.testing.assert_array_equal(engines[0].x, engines[1].x)
        np.testing.assert_array_equal(engines[0].keys, engines[1].keys)
        for by_numba, by_numpy in zip(*outputs, strict=True):
            assert by_numba.dtype == by_numpy.dtype
            np.testing.assert_array_equal(by_numba, by_numpy)
    np.testing.assert_array_equal(queues[0].begun, queues[1].begun)


def test_compiled_code_is_kept_where_the_cache_folder_is(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert compiled_module._cache_folder("a") == tmp_path / "sre-autopilot" / "a"


def test_without_a_home_or_a_folder_that_can_be_written_it_is_not_kept(tmp_path, monkeypatch):
    def no_home() -> None:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    assert compiled_module._cache_folder("a") is None
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert compiled_module._cache_folder("a") is None
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda *_: False)  # as for a user but root
    assert compiled_module._cache_folder("a") is None


@pytest.mark.parametrize("engine", [NumbaEngine, NumpyEngine])
def test_an_episode_that_is_done_is_followed_by_the_next(engine):
    lanes, queue = engine(FITTED, 1), EpisodeQueue(Tier.CONTROL, [5])
    lanes.begin(queue)
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
    by_numba, by_numpy = (e.begin(EpisodeQueue(Tier.HARD, range(lanes))) for e in engines)
    np.testing.assert_array_equal(by_numba.action_masks, by_numpy.action_masks)
    assert by_numba.action_masks.shape[0] == lanes


@pytest.mark.parametrize("engine", [NumbaEngine, NumpyEngine])
@pytest.mark.parametrize("action", [(-1, 0), (5, 0), (0, 7), (0, -1)])
def test_an_action_out_of_range_is_refused_and_changes_nothing(engine, action):
    lanes, queue = engine(FITTED, 9), EpisodeQueue(Tier.HARD, range(9))
    lanes.begin(queue)
    x, begun = lanes.x.copy(), queue.begun.copy()
    actions = np.full((9, 2), (layout.WAIT, 6))
    actions[8] = action
    with pytest.raises(InvalidValue, match="actions must be pairs of whole numbers, 0 to 4 and 0"):
        lanes.step(actions, queue)
    np.testing.assert_array_equal(lanes.x, x)
    np.testing.assert_array_equal(queue.begun, begun)


@pytest.mark.parametrize("tier", [Tier.HARD, Tier.EXPERT])
def test_episodes_that_begin_at_different_steps_are_the_same_in_both_engines(tier):
    """Restarts of random services cure some lanes early, so that few of a block begin at once."""
    engines: list[Engine] = [NumbaEngine(FITTED, LANES), NumpyEngine(FITTED, LANES)]
    queues, rng = [EpisodeQueue(tier, range(LANES)) for _ in engines], np.random.default_rng(0)
    for engine, queue in zip(engines, queues, strict=True):
        engine.begin(queue)
    for _ in range(5 * MAX_STEPS):
        actions = rng.integers((0, 0), (5, 7), (LANES, 2))
        for engine, queue in zip(engines, queues, strict=True):
            engine.step(actions, queue)
        np.testing.assert_array_equal(engines[0].x, engines[1].x)
    assert len(set(queues[0].begun.tolist())) > 1
    np.testing.assert_array_equal(queues[0].begun, queues[1].begun)


@pytest.mark.parametrize("chosen", [[0, 5], [11], [1, 2, 3, 8, 9], [*range(12)]])
def test_lanes_that_begin_again_leave_the_others_as_they_were(chosen):
    """In both engines, with all state, rows and calls; of several tiers at once."""
    engines: list[Engine] = [
        NumbaEngine(FITTED, LANES, keeps_calls=True),
        NumpyEngine(FITTED, LANES, keeps_calls=True),
    ]
    shares = dict.fromkeys(Tier, 1.0)
    queues, rng = [EpisodeQueue(shares, range(LANES)) for _ in engines], np.random.default_rng(1)
    lanes = np.array(chosen)
    others = np.setdiff1d(np.arange(LANES), lanes)
    for engine, queue in zip(engines, queues, strict=True):
        engine.begin(queue)
    for _ in range(MAX_STEPS):
        actions = rng.integers((0, 0), (5, 7), (LANES, 2))
        for engine, queue in zip(engines, queues, strict=True):
            engine.step(actions, queue)
        np.testing.assert_array_equal(engines[0].calls, engines[1].calls)
        before = engines[0].x.copy()
        outputs = [e.begin(q, lanes) for e, q in zip(engines, queues, strict=True)]
        for by_numba, by_numpy in zip(*outputs, strict=True):
            np.testing.assert_array_equal(by_numba, by_numpy)
        np.testing.assert_array_equal(engines[0].x, engines[1].x)
        np.testing.assert_array_equal(engines[0].x[others], before[others])
        np.testing.assert_array_equal(engines[0].calls[lanes], engines[1].calls[lanes])
        assert not engines[0].x[lanes, layout.STEP].any()
    fields = [layout.STEP, layout.SCORE]
    for engine in engines:
        np.testing.assert_array_equal(engine.state(fields), engine.x[:, fields])


def test_every_module_with_rules_is_compiled():
    names = {module.__name__ for module in RULE_MODULES}
    for info in pkgutil.iter_modules(rules.__path__, f"{rules.__name__}."):
        module = pkgutil.resolve_name(info.name)
        assert (info.name in names) == any(True for _ in rules_of(module)), info.name
