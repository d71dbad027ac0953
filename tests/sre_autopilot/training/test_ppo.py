"""The update: how actions are drawn, what is learned from, and what its weights do."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from torch.nn.functional import binary_cross_entropy_with_logits  # noqa: E402

from sre_autopilot.simulator.engines import NUMPY  # noqa: E402
from sre_autopilot.training import ppo as module  # noqa: E402
from sre_autopilot.training.experience import FLAG_COUNT, Lanes  # noqa: E402
from sre_autopilot.training.ppo import Ppo  # noqa: E402
from sre_autopilot.training.recipe import SHIPPED, Recipe, recipe_text  # noqa: E402

RECIPE = replace(
    Recipe.parse(recipe_text(SHIPPED)),
    lanes=16,
    horizon=32,
    hidden=(16,),
    minibatch=128,
    learning_rate=(1e-3, 0.0),
)
LOSSES = {"policy", "value", "entropy", "faults", "clipped"}


@pytest.fixture(scope="module")
def rollout():
    return Lanes(RECIPE, 0, NUMPY, 0).play(Ppo(RECIPE, 0).act)


def observed_at(rollout, step):
    """Inputs, masks and truth of all lanes."""
    return [
        rollout.inputs[step],
        *(torch.from_numpy(array[step]) for array in (rollout.masks, rollout.truth)),
    ]


def as_arrays(observed):
    inputs, *others = observed
    return [tensor.numpy() for tensor in (inputs.float(), *others)]


def parameters(ppo):
    return torch.cat([each.detach().flatten() for each in ppo.networks.parameters()])


def loss_of(ppo, part, weight):
    """What an update makes smaller, for autograd: as in the papers, and in plain words."""
    log_probabilities, values, faults = ppo.networks(part["inputs"], part["masks"], part["truth"])
    chosen = log_probabilities.gather(1, part["actions"][:, None]).squeeze(1)
    ratio, gain = (chosen - part["log_probabilities"]).exp(), part["advantages"]
    clipped = ratio.clamp(1.0 - RECIPE.clip, 1.0 + RECIPE.clip)
    flags = part["truth"][:, FLAG_COUNT : 2 * FLAG_COUNT]
    return (
        -torch.minimum(ratio * gain, clipped * gain).mean()
        + RECIPE.value_loss * (values - part["returns"]).square().mean()
        + weight * (log_probabilities.exp() * log_probabilities).sum(dim=-1).mean()
        + RECIPE.fault_loss * binary_cross_entropy_with_logits(faults, flags)
    )


def entropy_after(rollout, weight):
    ppo = Ppo(replace(RECIPE, entropy=(weight, weight)), 0)
    for _ in range(8):
        losses = ppo.update(rollout, 0.0)
    return losses["entropy"]


def test_drawn_actions_are_accepted_and_their_probabilities_are_those_of_the_policy(rollout):
    taken = np.take_along_axis(rollout.masks, rollout.actions[..., None], axis=2)
    assert taken.all()
    observed = observed_at(rollout, 3)
    with torch.no_grad():
        log_probabilities, values, _ = Ppo(RECIPE, 0).networks(*observed)
    chosen = log_probabilities.numpy()[np.arange(RECIPE.lanes), rollout.actions[3]]
    np.testing.assert_allclose(rollout.log_probabilities[3], chosen, rtol=1e-5)
    np.testing.assert_allclose(rollout.values[3], values.numpy(), rtol=1e-4, atol=1e-6)


def test_actions_are_drawn_by_their_probabilities(rollout):
    """Of 4,096 draws in one state, each action comes as often as it should, within 5 sigma."""
    ppo, count = Ppo(RECIPE, 1), 4096
    state = [tensor[:1] for tensor in observed_at(rollout, 0)]
    repeated = [tensor.repeat_interleave(count, dim=0) for tensor in state]
    actions = ppo.act(*as_arrays(repeated)).actions
    with torch.no_grad():
        probabilities = ppo.networks(*state)[0].exp().numpy()[0]
    shares = np.bincount(actions, minlength=len(probabilities)) / count
    sigma = np.sqrt(probabilities * (1.0 - probabilities) / count)
    assert (np.abs(shares - probabilities) <= 5.0 * sigma).all()


def test_equal_seeds_draw_equal_actions_and_others_do_not(rollout):
    observed = as_arrays(observed_at(rollout, 0))
    drawn = [Ppo(RECIPE, seed).act(*observed).actions for seed in (4, 4, 5)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert (drawn[0] != drawn[2]).any()


@pytest.mark.parametrize("privileged", [True, False])
@pytest.mark.parametrize("half_precision", [False, True])
def test_gradient_is_that_of_autograd(rollout, privileged, half_precision):
    """In 16 bits, but for what they round."""
    recipe = replace(
        RECIPE,
        hidden=(24, 16),
        half_precision=half_precision,
        privileged_critic=privileged,
        learning_rate=(0.0, 0.0),
        gradient_norm=1e9,
    )
    ppo = Ppo(recipe, 0)
    part = module._batch(rollout, RECIPE.gae_lambda)
    ppo.networks.observe(part["inputs"])
    # Steps away from what was played, so that some ratios are beyond the clip on either side.
    part["log_probabilities"] = part["log_probabilities"] + torch.linspace(
        -0.5, 0.5, len(part["actions"])
    )
    ppo._learn(part, 0.01)
    written = ppo.networks.in_one.grad.clone()
    gradients = torch.autograd.grad(loss_of(ppo, part, 0.01), list(ppo.networks.parameters()))
    expected = torch.cat([each.flatten() for each in gradients])
    error = (written - expected).norm() / expected.norm()
    assert error < (0.02 if half_precision else 1e-5)


def test_an_update_reports_finite_losses(rollout):
    losses = Ppo(RECIPE, 0).update(rollout, 0.0)
    assert losses.keys() == LOSSES
    assert np.isfinite(list(losses.values())).all()
    assert 0.0 <= losses["clipped"] <= 1.0


def test_batch_has_all_steps_and_scales_the_advantages_of_those_that_were_played(rollout):
    batch = module._batch(rollout, RECIPE.gae_lambda)
    assert {len(tensor) for tensor in batch.values()} == {rollout.plays.size}
    assert rollout.plays.sum() < rollout.plays.size
    of_plays = batch["advantages"][torch.from_numpy(rollout.plays.ravel())]
    assert float(of_plays.mean()) == pytest.approx(0.0, abs=1e-5)
    assert float(of_plays.std()) == pytest.approx(1.0, abs=1e-2)


def test_a_step_that_only_begins_an_episode_teaches_nothing(rollout):
    spoilt = rollout._replace(
        actions=np.where(rollout.plays, rollout.actions, 0),
        log_probabilities=np.where(rollout.plays, rollout.log_probabilities, -50.0),
    )
    after = []
    for played in (rollout, spoilt):
        ppo = Ppo(RECIPE, 0)
        ppo.update(played, 0.0)
        after.append(parameters(ppo))
    assert torch.equal(*after)


def test_learning_rate_ends_where_the_recipe_says(rollout):
    ppo = Ppo(RECIPE, 0)
    before = parameters(ppo)
    ppo.update(rollout, 1.0)
    assert torch.equal(parameters(ppo), before)
    ppo.update(rollout, 0.5)
    assert ppo.optimizer.param_groups[0]["lr"] == pytest.approx(5e-4)
    assert not torch.equal(parameters(ppo), before)


def test_weight_of_the_entropy_keeps_a_policy_open(rollout):
    assert entropy_after(rollout, 1.0) > entropy_after(rollout, 0.0)


def test_hidden_faults_are_learned_where_the_recipe_says(rollout):
    last = {}
    for weight in (0.0, 1.0):
        ppo = Ppo(replace(RECIPE, fault_loss=weight), 0)
        for _ in range(6):
            losses = ppo.update(rollout, 0.0)
        last[weight] = losses["faults"]
    assert last[1.0] < last[0.0]


def test_critic_learns_the_returns(rollout):
    ppo = Ppo(RECIPE, 0)
    losses = [ppo.update(rollout, 0.0)["value"] for _ in range(6)]
    assert losses[-1] < losses[0]
