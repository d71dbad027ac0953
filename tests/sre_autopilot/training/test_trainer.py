"""A training with torch: its files, going on after a break, and NumPy's forward pass."""

import json
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from sre_autopilot.errors import InvalidValue  # noqa: E402
from sre_autopilot.policies.network import Network, load  # noqa: E402
from sre_autopilot.simulator.engines import NUMPY  # noqa: E402
from sre_autopilot.training.checkpoint import FILE, Checkpoint  # noqa: E402
from sre_autopilot.training.experience import Lanes  # noqa: E402
from sre_autopilot.training.ppo import Ppo  # noqa: E402
from sre_autopilot.training.recipe import SHIPPED, Recipe, recipe_text  # noqa: E402
from sre_autopilot.training.trainer import SCORES, WEIGHTS, Job, Progress, train  # noqa: E402
from sre_autopilot.world.vocabulary import WORLD_VERSION, Tier  # noqa: E402

TEXT = recipe_text(SHIPPED)
RECIPE = replace(
    Recipe.parse(TEXT),
    samples=3 * 8 * 16,
    lanes=8,
    horizon=16,
    minibatch=32,
    hidden=(16, 16),
    memory=8,
)
STATES = 10_000


def job(folder, **changes):
    made = Job(text=TEXT, recipe=RECIPE, seed=1, folder=folder, engine=NUMPY)
    return replace(made, scored_times=3, score_seeds=2, **changes)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    steps: list[Progress] = []
    return job(folder), train(job(folder), steps.append), steps


def test_a_training_leaves_weights_scores_and_a_checkpoint(finished):
    training, network, steps = finished
    assert [step.updates for step in steps] == [1, 2, 3]
    assert all(np.isfinite(list(step.losses.values())).all() for step in steps)
    assert load(training.folder / WEIGHTS).provenance == network.provenance
    lines = [json.loads(line) for line in (training.folder / SCORES).read_text().splitlines()]
    assert [line["samples"] for line in lines] == [128, 256, 384]
    assert lines[-1]["scores"] == network.provenance.scores
    assert network.provenance.scores.keys() == {*Tier}
    assert network.provenance.world_version == WORLD_VERSION


def test_equal_seeds_give_equal_weights_and_others_do_not(finished, tmp_path):
    _, network, _ = finished
    for seed, is_equal in ((1, True), (2, False)):
        other = train(replace(job(tmp_path / str(seed)), seed=seed), lambda _: None)
        same = [np.array_equal(array, other.arrays[name]) for name, array in network.arrays.items()]
        assert all(same) == is_equal


def test_a_training_goes_on_where_it_stopped(tmp_path):
    class Stopped(Exception):
        pass

    def stop(progress):
        if progress.updates == 2:
            raise Stopped

    with pytest.raises(Stopped):
        train(job(tmp_path), stop)
    checkpoint = Checkpoint.load(tmp_path)
    steps: list[Progress] = []
    assert checkpoint.updates == 2
    network = train(job(tmp_path), steps.append, checkpoint)
    assert [step.updates for step in steps] == [3]
    assert network.provenance.samples == RECIPE.samples
    assert network.provenance.cpu_s > checkpoint.cpu_s


def test_a_checkpoint_of_another_world_version_is_refused(finished, tmp_path):
    training, _, _ = finished
    replace(Checkpoint.load(training.folder), world_version="0").save(tmp_path)
    with pytest.raises(InvalidValue, match="begin anew"):
        Checkpoint.load(tmp_path)


def test_a_folder_without_a_checkpoint_is_refused(tmp_path):
    with pytest.raises(InvalidValue, match=FILE):
        Checkpoint.load(tmp_path)
    (tmp_path / FILE).write_bytes(b"words")
    with pytest.raises(InvalidValue, match="resume must be a checkpoint"):
        Checkpoint.load(tmp_path)


def test_numpy_and_torch_take_the_same_actions_in_10_000_states(finished):
    """States as a policy that explores meets them, each with the memory of those before."""
    lanes = 250
    recipe = replace(
        RECIPE, lanes=lanes, horizon=STATES // lanes, minibatch=512, hidden=(128, 128), memory=128
    )
    ppo = Ppo(recipe, 3)
    rollout = Lanes(recipe, 3, NUMPY, 0).play(ppo.act)
    inputs, state, masks, truth = map(
        torch.from_numpy, (rollout.inputs, rollout.first_state, rollout.masks, rollout.truth)
    )
    with torch.no_grad():
        out = ppo.networks.judge(ppo.networks.remember(inputs, state), masks, truth)
    network, of_numpy = Network(ppo.networks.arrays(), finished[1].provenance), []
    memory = network.blank_state(lanes)
    for of_step in rollout.inputs:
        actions, memory = network.actions(of_step, memory)
        of_numpy.append(actions)
    taken = np.stack(of_numpy)
    # Where two are equal to the last bits, either may come first.
    logits = out.logits.numpy()
    of_taken = np.take_along_axis(logits, taken[..., None], axis=2)[..., 0]
    assert (of_taken > logits.max(axis=2) - 1e-5).all()
    assert np.take_along_axis(rollout.masks, taken[..., None], axis=2).all()
    assert (taken == logits.argmax(axis=2)).mean() > 0.999


def test_an_update_raises_the_probability_of_what_was_better_than_expected():
    recipe = replace(RECIPE, epochs=1, minibatch=10_000, entropy=(0.0, 0.0))
    ppo = Ppo(recipe, 0)
    rollout = Lanes(recipe, 0, NUMPY, 0).play(ppo.act)
    rewards = np.where(rollout.actions == rollout.actions.max(), 1.0, 0.0).astype(np.float32)
    rollout = rollout._replace(rewards=rewards, ends=np.ones_like(rollout.ends))
    arrays = (rollout.inputs, rollout.first_state, rollout.masks, rollout.truth)
    inputs, state, *rest = map(torch.from_numpy, arrays)

    def probability():
        with torch.no_grad():
            out = ppo.networks.judge(ppo.networks.remember(inputs, state), *rest)
        return float(out.logits.softmax(dim=-1)[..., rollout.actions.max()].mean())

    before = probability()
    for _ in range(5):
        ppo.update(rollout, 0.0)
    assert probability() > before
