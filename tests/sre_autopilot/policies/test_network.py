"""The forward pass in NumPy, step by step, and the file as any reader of `.npz` sees it."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from sre_autopilot.history.newest import (
    CAME_FROM,
    CLOCK,
    DONE_FROM,
    NEWEST_COUNT,
    VALUES_FROM,
    advance_newest,
    blank_newest,
    newest_mask,
)
from sre_autopilot.policies.network import PROVENANCE, Network, Provenance, load, save
from sre_autopilot.simulator.engines import NUMPY
from sre_autopilot.simulator.gym.action_coding import FLAT_COUNT
from sre_autopilot.simulator.gym.vector_env import SREAutopilotVectorEnv
from sre_autopilot.world.vocabulary import WORLD_VERSION, Tier
from tests.sre_autopilot.policies.networks import SHAPES, UNITS, random_network

LANES = 9
ORIGIN = Provenance(WORLD_VERSION, "abc", "samples = 1\n", 1, 2, 3.5, {"easy": 0.25})


@pytest.fixture
def network():
    return random_network(ORIGIN)


@pytest.fixture
def inputs():
    """Of lanes in their second window."""
    env = SREAutopilotVectorEnv(LANES, Tier.EXPERT, engine=NUMPY, actions="flat", trace_edges=True)
    rows, _ = env.reset(seed=4)
    newest = advance_newest(blank_newest(LANES), rows)
    return advance_newest(newest, env.step(np.arange(LANES))[0])


@pytest.fixture
def state():
    return np.random.default_rng(3).uniform(-1.0, 1.0, (LANES, UNITS)).astype(np.float32)


def expected(network, inputs, state):
    """Logits and state with 64 bits: as Cho et al. and PyTorch have the unit."""
    arrays = {name: array.astype(np.float64) for name, array in network.arrays.items()}

    def through(layer, x):
        return x @ arrays[f"matrix_{layer}"] + arrays[f"bias_{layer}"]

    scaled = (inputs - arrays["mean"]) * arrays["inverse_deviation"]
    scaled[:, VALUES_FROM:CAME_FROM][inputs[:, CAME_FROM:DONE_FROM] == 0.0] = 0.0
    read = np.clip(through("first", scaled), 0, None)
    of_inputs = np.split(through("gates_of_inputs", read), 3, axis=1)
    of_state = np.split(through("gates_of_state", state.astype(np.float64)), 3, axis=1)
    reset, update = (1 / (1 + np.exp(-of_inputs[gate] - of_state[gate])) for gate in (0, 1))
    new = np.tanh(of_inputs[2] + reset * of_state[2])
    after = (1 - update) * new + update * state
    return through("actor", np.clip(through("second", after), 0, None)), after


def test_a_step_is_that_of_a_gated_recurrent_unit(network, inputs, state):
    logits, after = network.logits(inputs, state)
    of_doubles = expected(network, inputs, state)
    np.testing.assert_allclose(logits, of_doubles[0], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(after, of_doubles[1], rtol=1e-4, atol=1e-5)
    assert logits.dtype == after.dtype == np.float32
    assert logits.shape == (LANES, FLAT_COUNT) and (logits < 0.0).any()


def test_an_episode_begins_without_a_memory(network, inputs, state):
    inputs[:, CLOCK] = 0.0
    begun = network.logits(inputs, state)
    for of_state, of_blank in zip(begun, network.logits(inputs, 0.0 * state), strict=True):
        np.testing.assert_array_equal(of_state, of_blank)


def test_a_value_that_did_not_come_is_not_read(network, inputs, state):
    lost = inputs.copy()
    lost[:, CAME_FROM] = 0.0
    logits, _ = network.logits(lost, state)
    lost[:, VALUES_FROM] = 7.0
    np.testing.assert_array_equal(network.logits(lost, state)[0], logits)


def test_a_lane_acts_alone_as_it_does_beside_others(network, inputs, state):
    together, _ = network.actions(inputs, state)
    parts = (slice(lane, lane + 1) for lane in range(LANES))
    alone = [int(network.actions(inputs[part], state[part])[0][0]) for part in parts]
    assert together.tolist() == alone


def test_actions_are_the_best_of_those_that_would_be_accepted(network, inputs, state):
    actions, _ = network.actions(inputs, state)
    logits, _ = network.logits(inputs, state)
    for action, mask, values in zip(actions, newest_mask(inputs), logits, strict=True):
        assert mask[action]
        assert values[action] == values[mask].max()


def test_inputs_and_state_are_left_as_they_were(network, inputs, state):
    before = inputs.copy(), state.copy()
    network.actions(inputs, state)
    np.testing.assert_array_equal(inputs, before[0])
    np.testing.assert_array_equal(state, before[1])


def test_gates_beyond_what_an_exponential_holds_are_quiet(network, inputs, state):
    inputs[:, :DONE_FROM] *= 1e6
    with np.errstate(all="raise", under="ignore"):
        assert np.isfinite(network.logits(inputs, state)[0]).all()


def test_a_file_says_in_json_where_it_comes_from(network, tmp_path):
    save(network, tmp_path / "weights.npz")
    with np.load(tmp_path / "weights.npz", allow_pickle=False) as arrays:
        assert json.loads(str(arrays[PROVENANCE])) == asdict(ORIGIN)
        assert {*arrays.files} - {PROVENANCE} == {*network.arrays}


def test_a_file_replaces_the_one_before(network, tmp_path):
    path = tmp_path / "weights.npz"
    for seed in (1, 2):
        save(replace(network, provenance=replace(ORIGIN, seed=seed)), path)
    assert load(path).provenance.seed == 2
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_shapes_of_the_tests_are_those_of_a_network(network):
    assert SHAPES["first"][0] == NEWEST_COUNT
    assert isinstance(network, Network) and network.blank_state(3).shape == (3, UNITS)
