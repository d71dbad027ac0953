"""The forward pass in NumPy, layer by layer, and the file as any reader of `.npz` sees it."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from sre_autopilot.history.tape import INPUT_COUNT, advance_inputs, blank_inputs, input_mask
from sre_autopilot.policies.network import PROVENANCE, Network, Provenance, load, save
from sre_autopilot.simulator.engines import NUMPY
from sre_autopilot.simulator.gym.action_coding import FLAT_COUNT
from sre_autopilot.simulator.gym.vector_env import SREAutopilotVectorEnv
from sre_autopilot.world.vocabulary import WORLD_VERSION, Tier

LANES = 9
ORIGIN = Provenance(WORLD_VERSION, "abc", "samples = 1\n", 1, 2, 3.5, {"easy": 0.25})


@pytest.fixture
def network():
    draws = np.random.default_rng(2)
    shapes = ((INPUT_COUNT, 12), (12, 8), (8, FLAT_COUNT))
    layers = [
        (draws.normal(size=shape).astype(np.float32), draws.normal(size=shape[1]).astype("f4"))
        for shape in shapes
    ]
    return Network(layers, ORIGIN)


@pytest.fixture
def inputs():
    """Of lanes that have just begun."""
    rows, _ = SREAutopilotVectorEnv(LANES, Tier.EXPERT, engine=NUMPY, trace_edges=True).reset(
        seed=4
    )
    return advance_inputs(blank_inputs(LANES), rows)


def test_logits_are_products_with_nothing_negative_between(network, inputs):
    hidden = inputs.astype(np.float64)
    for matrix, bias in network.layers[:-1]:
        hidden = np.clip(hidden @ matrix + bias, 0.0, None)
    matrix, bias = network.layers[-1]
    np.testing.assert_allclose(network.logits(inputs), hidden @ matrix + bias, rtol=1e-3, atol=1e-3)
    assert network.logits(inputs).dtype == np.float32
    assert (network.logits(inputs) < 0.0).any()


def test_a_lane_acts_alone_as_it_does_beside_others(network, inputs):
    together = network.actions(inputs)
    alone = [int(network.actions(inputs[lane : lane + 1])[0]) for lane in range(LANES)]
    assert together.tolist() == alone


def test_actions_are_the_best_of_those_that_would_be_accepted(network, inputs):
    actions, masks = network.actions(inputs), input_mask(inputs)
    for action, mask, logits in zip(actions, masks, network.logits(inputs), strict=True):
        assert mask[action]
        assert logits[action] == logits[mask].max()


def test_inputs_are_left_as_they_were(network, inputs):
    before = inputs.copy()
    network.actions(inputs)
    np.testing.assert_array_equal(inputs, before)


def test_a_file_says_in_json_where_it_comes_from(network, tmp_path):
    save(network, tmp_path / "weights.npz")
    with np.load(tmp_path / "weights.npz", allow_pickle=False) as arrays:
        assert json.loads(str(arrays[PROVENANCE])) == asdict(ORIGIN)
        assert {*arrays.files} - {PROVENANCE} == {
            f"{name}{number}" for name in ("matrix", "bias") for number in range(3)
        }


def test_a_file_replaces_the_one_before(network, tmp_path):
    path = tmp_path / "weights.npz"
    for seed in (1, 2):
        save(replace(network, provenance=replace(ORIGIN, seed=seed)), path)
    assert load(path).provenance.seed == 2
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_network_of_the_shipped_widths_is_small(tmp_path):
    draws = np.random.default_rng(0)
    widths = [(INPUT_COUNT, 160), (160, 128), (128, FLAT_COUNT)]
    layers = [(draws.normal(size=w).astype("f4"), np.zeros(w[1], "f4")) for w in widths]
    save(Network(layers, ORIGIN), tmp_path / "weights.npz")
    assert (tmp_path / "weights.npz").stat().st_size < 1_000_000
