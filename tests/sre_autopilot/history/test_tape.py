"""The tape of a learner's inputs: the same bits from lanes and observations, newest step first."""

import numpy as np
import pytest

from orchestrator.environment import Environment
from sre_autopilot.history import row_layout as layout
from sre_autopilot.history.bursts import BLANK_BURSTS, GATEWAY, advance_bursts
from sre_autopilot.history.features import advance, blank_features
from sre_autopilot.history.restarts import BLANK_RESTARTS, advance_restarts
from sre_autopilot.history.rises import ABOVE, BLANK_RISES, advance_rises, of_services
from sre_autopilot.history.slowdowns import BLANK_SLOWDOWNS, advance_slowdowns
from sre_autopilot.history.tape import (
    BURSTS_FROM,
    FEATURES_COUNT,
    INPUT_COUNT,
    RESTARTS_FROM,
    RISES_FROM,
    ROW_COUNT,
    SLOWDOWNS_FROM,
    TAPE_STEPS,
    TAPE_WIDTH,
    TAPED_VALUES,
    Tape,
    advance_inputs,
    blank_inputs,
    input_mask,
)
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.simulator.engines import NUMPY
from sre_autopilot.simulator.gym.vector_env import SREAutopilotVectorEnv
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, Tier
from tests.sre_autopilot.simulator.scripts import ACTIONS, NAMES

RESTART, WAIT = (list(ActionName).index(name) for name in (ActionName.RESTART, ActionName.WAIT))
CPU_PLACE, CPU_SCALE = 2, 1 / 128
CALLS_SCALE = 1 / 64
PAYMENT_EDGE = layout.SPAN_EDGES.index((Service.ORDER_SERVICE, Service.PAYMENT_GATEWAY))


def row(step, cpu_pct, action=WAIT, calls=0):
    out = np.zeros((1, ROW_COUNT), np.float32)
    out[0, layout.FEATURE_COUNT + len(layout.SPAN_EDGES) :] = layout.MISSING
    out[0, layout.FEATURE_COUNT + PAYMENT_EDGE] = calls
    out[0, CPU_PLACE * layout.SERVICE_COUNT + GATEWAY] = cpu_pct
    out[0, layout.STEP_FEATURE], out[0, layout.RESTARTS_LEFT_FEATURE] = step, 5
    out[0, layout.ACTION_FEATURE], out[0, layout.SERVICE_FEATURE] = action, GATEWAY
    return out


def tape_of(inputs):
    """(TAPE_STEPS, TAPE_WIDTH) of the first lane."""
    return inputs[0, FEATURES_COUNT:BURSTS_FROM].reshape(TAPE_STEPS, TAPE_WIDTH)


def test_taped_service_is_the_one_that_flaps():
    assert list(Service)[GATEWAY] is Service.PAYMENT_GATEWAY


def test_newest_step_comes_first_and_steps_before_the_episode_are_blank():
    inputs = blank_inputs(1)
    for step, cpu in enumerate((64.0, 32.0, layout.MISSING)):
        inputs = advance_inputs(inputs, row(step, cpu))
    newest = tape_of(inputs)[:, CPU_PLACE]
    assert newest[:3].tolist() == [layout.MISSING, 32 * CPU_SCALE, 64 * CPU_SCALE]
    assert (newest[3:] == layout.MISSING).all()


def test_spans_of_calls_to_the_service_are_taped_behind_its_metrics():
    inputs = advance_inputs(blank_inputs(1), row(0, 64.0, calls=16))
    calls, error_rate, latency_p99 = tape_of(inputs)[0, len(layout.METRICS) : TAPED_VALUES]
    assert calls == 16 * CALLS_SCALE
    assert error_rate == latency_p99 == layout.MISSING, "nothing was called"


def test_actions_on_the_service_are_taped():
    inputs = advance_inputs(blank_inputs(1), row(0, 8.0))
    inputs = advance_inputs(inputs, row(1, 8.0, RESTART))
    inputs = advance_inputs(inputs, row(2, 8.0))
    done = tape_of(inputs)[:, TAPED_VALUES:]
    assert np.argwhere(done).tolist() == [[1, RESTART]]


def test_an_episode_begins_with_a_blank_tape():
    inputs = advance_inputs(advance_inputs(blank_inputs(1), row(0, 64.0)), row(1, 64.0))
    fresh = advance_inputs(blank_inputs(1), row(0, 16.0))
    np.testing.assert_array_equal(advance_inputs(inputs, row(0, 16.0)), fresh)


def test_inputs_begin_with_the_features():
    rows = row(0, 16.0)
    features = advance(blank_features(rows), rows)
    np.testing.assert_array_equal(
        advance_inputs(blank_inputs(1), rows)[:, :FEATURES_COUNT], features
    )


def test_inputs_end_with_what_evidence_is_linear_in():
    rows = row(0, 16.0)
    inputs = advance_inputs(blank_inputs(1), rows)
    parts = np.split(inputs, [BURSTS_FROM, RISES_FROM, RESTARTS_FROM, SLOWDOWNS_FROM], axis=1)
    rises = advance_rises(BLANK_RISES[None], rows)
    expected = (
        advance_bursts(BLANK_BURSTS[None], rows),
        rises,
        advance_restarts(BLANK_RESTARTS[None], rows, of_services(rises, ABOVE)),
        advance_slowdowns(BLANK_SLOWDOWNS[None], rows),
    )
    for part, values in zip(parts[1:], expected, strict=True):
        np.testing.assert_array_equal(part, values)


@pytest.mark.parametrize("tier", [Tier.HARD, Tier.EXPERT])
def test_a_lane_and_an_observation_give_the_same_bits(tier):
    lanes = SREAutopilotVectorEnv(3, tier, engine=NUMPY, actions="flat", trace_edges=True)
    rows, info = lanes.reset(seed=[8, 7, 9])
    inputs, tape = advance_inputs(blank_inputs(3), rows), Tape()
    draws = np.random.default_rng(0)
    with Environment(SimulatorBackend) as environment:
        observation = environment.reset(seed=7, task_tier=tier)
        while not observation.done:
            of_observation = tape.after(observation)
            assert of_observation.shape == (1, INPUT_COUNT)
            assert of_observation.tobytes() == inputs[1:2].tobytes()
            np.testing.assert_array_equal(input_mask(inputs), info["action_mask"] > 0)
            flat = int(draws.choice([WAIT * layout.SERVICE_COUNT, int(draws.integers(29))]))
            action, service = divmod(flat, layout.SERVICE_COUNT)
            rows, _, _, _, info = lanes.step(np.full(3, flat))
            inputs = advance_inputs(inputs, rows)
            step = {"action": ACTIONS[action], "service_id": NAMES[service]}
            observation = environment.step(step)
