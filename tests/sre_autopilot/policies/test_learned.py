"""The learned policy: its file, what it refuses to play by, and how it plays."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from sre_autopilot.errors import InvalidValue
from sre_autopilot.evaluation.vector_play import play_batch
from sre_autopilot.history.newest import NEWEST_COUNT
from sre_autopilot.models import SREObservation
from sre_autopilot.policies.learned import Learned
from sre_autopilot.policies.network import Provenance, load, save
from sre_autopilot.policies.policy import Briefing
from sre_autopilot.simulator.engines import NUMPY, make_engine
from sre_autopilot.simulator.gym.action_coding import FLAT_WAIT
from sre_autopilot.training.scoring import scores
from sre_autopilot.world.vocabulary import WORLD_VERSION, Tier
from tests.sre_autopilot.cli.terminal import simulated
from tests.sre_autopilot.policies.networks import UNITS, random_network

PROVENANCE = Provenance(
    world_version=WORLD_VERSION,
    commit="abc",
    recipe="samples = 1",
    seed=3,
    samples=1,
    cpu_s=0.5,
    scores={Tier.EASY: 0.5},
)
SEEDS = range(300_000, 300_006)


@pytest.fixture
def network():
    """Of random weights: it takes many different actions, and waits now and then."""
    made = random_network(PROVENANCE)
    made.arrays["bias_actor"][FLAT_WAIT] += 1.0
    return made


@pytest.fixture
def path(network, tmp_path):
    save(network, tmp_path / "weights.npz")
    return tmp_path / "weights.npz"


def learned(path):
    policy = Learned()
    policy.weights = path
    return policy


def test_a_file_holds_the_network_and_where_it_comes_from(network, path):
    loaded = load(path)
    assert loaded.provenance == PROVENANCE
    assert loaded.arrays.keys() == network.arrays.keys()
    for name, array in loaded.arrays.items():
        np.testing.assert_array_equal(array, network.arrays[name])
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_file_has_no_pickled_objects(path):
    with np.load(path, allow_pickle=False) as arrays:
        assert all(arrays[name].dtype != object for name in arrays.files)


def test_weights_of_another_world_version_are_refused(network, tmp_path):
    path = tmp_path / "old.npz"
    save(replace(network, provenance=replace(PROVENANCE, world_version="0")), path)
    with pytest.raises(InvalidValue, match=r"weights of world version .*sre-autopilot train"):
        learned(path).begin(Briefing(0))


@pytest.mark.parametrize("content", [b"", b"words", b"PK\x03\x04 and no more"])
def test_a_file_that_is_no_network_is_refused(tmp_path, content):
    path = tmp_path / "weights.npz"
    path.write_bytes(content)
    with pytest.raises(InvalidValue, match="a network that sre-autopilot train wrote"):
        load(path)


def test_a_missing_file_says_how_to_make_one(tmp_path):
    with pytest.raises(InvalidValue, match="sre-autopilot train --out"):
        load(tmp_path / "none.npz")


def test_a_network_of_other_inputs_is_refused(network, tmp_path):
    path = tmp_path / "narrow.npz"
    save(replace(network, arrays={**network.arrays, "mean": network.arrays["mean"][1:]}), path)
    with pytest.raises(InvalidValue, match=f"a network of {NEWEST_COUNT} inputs"):
        load(path)


def test_a_refused_action_is_never_taken(network):
    inputs = np.zeros((4, NEWEST_COUNT), np.float32)  # no restart is left in them
    network.arrays["bias_actor"][0] = 1e6
    assert (network.actions(inputs, network.blank_state(4))[0] != 0).all()


def test_policy_scores_as_the_network_on_rows_of_lanes(network, path):
    """What `train` prints is what `evaluate` finds."""
    engine = make_engine(NUMPY, "process", len(SEEDS), keeps_calls=True)
    played = play_batch(engine, partial(learned, path), Tier.EXPERT, SEEDS).score
    np.testing.assert_array_equal(played, scores(network, Tier.EXPERT, SEEDS, NUMPY))


def test_a_fork_goes_on_apart_from_what_both_have_observed(path):
    record, _score = simulated("wait", Tier.HARD, 3)
    before, after = (SREObservation.model_validate(step.observed) for step in record.steps[:2])
    policy = learned(path)
    policy.begin(Briefing(0))
    policy.act(before)
    fork = policy.fork()
    policy.act(after)
    assert policy._state.shape == (1, UNITS)
    assert not np.array_equal(policy._state, fork._state)
    fork.act(after)
    np.testing.assert_array_equal(policy._state, fork._state)
