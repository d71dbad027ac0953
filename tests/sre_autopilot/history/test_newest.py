"""The newest row as a learner with a memory reads it: the same bits from lanes and observations."""

import numpy as np
import pytest

from orchestrator.environment import Environment
from sre_autopilot.history import newest as module
from sre_autopilot.history import row_layout as layout
from sre_autopilot.history.newest import (
    CAME_FROM,
    CLOCK,
    DONE_FROM,
    NEWEST_COUNT,
    ROW_COUNT,
    VALUES_FROM,
    advance_newest,
    blank_newest,
    newest_mask,
)
from sre_autopilot.history.rows import row_of
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.simulator.engines import NUMPY
from sre_autopilot.simulator.gym.vector_env import SREAutopilotVectorEnv
from sre_autopilot.world.vocabulary import MAX_STEPS, Tier
from tests.sre_autopilot.history.action_numbers import RESTART, ROLLBACK, SCALE_UP, WAIT
from tests.sre_autopilot.simulator.scripts import ACTIONS, NAMES

SERVICE, LANES = 3, 5
CPU = 2 * layout.SERVICE_COUNT + SERVICE


def row(step, action=WAIT, cpu=layout.MISSING, *, refused=False):
    out = np.full((1, ROW_COUNT), layout.MISSING, np.float32)
    out[0, CPU] = cpu
    out[0, layout.STEP_FEATURE], out[0, layout.RESTARTS_LEFT_FEATURE] = step, 5
    out[0, layout.ACTION_FEATURE], out[0, layout.SERVICE_FEATURE] = action, SERVICE
    out[0, layout.REFUSED_FEATURE] = refused
    return out


def after(*rows):
    newest = blank_newest(1)
    for each in rows:
        newest = advance_newest(newest, each)
    assert newest.shape == (1, NEWEST_COUNT) and newest.dtype == np.float32
    return newest[0]


def test_a_value_that_did_not_come_is_0_and_flagged_so():
    came, missing = after(row(0, cpu=64.0)), after(row(0))
    assert (came[VALUES_FROM + CPU], came[CAME_FROM + CPU]) == (0.5, 1.0)
    assert (missing[VALUES_FROM + CPU], missing[CAME_FROM + CPU]) == (0.0, 0.0)


def test_nothing_of_a_value_is_remembered():
    assert (after(row(0, cpu=64.0), row(1))[:DONE_FROM] == after(row(1))[:DONE_FROM]).all()


def test_the_clock_is_0_in_the_first_window_alone():
    assert [after(row(step))[CLOCK] for step in range(3)] == [0.0, 1 / 32, 2 / 32]


@pytest.mark.parametrize("refused", [False, True])
def test_an_action_is_done_unless_it_is_refused(refused):
    newest = after(row(0), row(1, RESTART, refused=refused))
    done = newest[DONE_FROM:].copy()
    assert done[RESTART * layout.SERVICE_COUNT + SERVICE] == (not refused)
    assert newest[module.REFUSED] == refused


@pytest.mark.parametrize("action", [SCALE_UP, ROLLBACK])
def test_time_since_what_lasts_is_kept_until_the_episode_ends(action):
    place = {SCALE_UP: module._SCALED_FROM, ROLLBACK: module._ROLLED_BACK_FROM}[action] + SERVICE
    rows = [row(0), row(1, action), row(2), row(3), row(0)]
    since = [after(*rows[: count + 1])[place] for count in range(len(rows))]
    assert since == [1.0, 0.0, 1 / 32, 2 / 32, 1.0]


@pytest.mark.parametrize("tier", [Tier.HARD, Tier.EXPERT])
def test_a_lane_and_an_observation_give_the_same_bits_and_the_mask_of_the_world(tier):
    lanes = SREAutopilotVectorEnv(LANES, tier, engine=NUMPY, actions="flat", trace_edges=True)
    rows, info = lanes.reset(seed=[8, 7, 9, 3, 4])
    beside, alone = blank_newest(LANES), blank_newest(1)
    draws, steps = np.random.default_rng(0), 0
    with Environment(SimulatorBackend) as environment:
        observation = environment.reset(seed=7, task_tier=tier)
        while not observation.done:
            beside = advance_newest(beside, rows)
            alone = advance_newest(alone, row_of(observation, trace_edges=True)[None])
            assert alone.tobytes() == beside[1:2].tobytes()
            np.testing.assert_array_equal(newest_mask(beside), info["action_mask"] > 0)
            flat = int(draws.choice([WAIT * layout.SERVICE_COUNT, int(draws.integers(29))]))
            action, service = divmod(flat, layout.SERVICE_COUNT)
            rows, _, _, _, info = lanes.step(np.full(LANES, flat))
            step = {"action": ACTIONS[action], "service_id": NAMES[service]}
            observation, steps = environment.step(step), steps + 1
    assert steps > MAX_STEPS // 3
