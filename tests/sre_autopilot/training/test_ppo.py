"""The update: how actions are drawn, what is learned from, and what its weights do."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from sre_autopilot.simulator.engines import NUMPY  # noqa: E402
from sre_autopilot.training import ppo as module  # noqa: E402
from sre_autopilot.training.experience import Lanes  # noqa: E402
from sre_autopilot.training.ppo import Ppo  # noqa: E402
from sre_autopilot.training.recipe import SHIPPED, Recipe, recipe_text  # noqa: E402

RECIPE = replace(
    Recipe.parse(recipe_text(SHIPPED)),
    lanes=16,
    horizon=32,
    hidden=(16, 16),
    memory=8,
    minibatch=128,
    learning_rate=(1e-3, 0.0),
)
LOSSES = {"policy", "value", "entropy", "faults", "clipped"}


@pytest.fixture(scope="module")
def rollout():
    return Lanes(RECIPE, 0, NUMPY, 0).play(Ppo(RECIPE, 0).act)


def judged(ppo, rollout):
    """What the networks say of all steps of a rollout, (horizon, lanes, ...)."""
    arrays = (rollout.inputs, rollout.first_state, rollout.masks, rollout.truth)
    inputs, state, masks, truth = map(torch.from_numpy, arrays)
    with torch.no_grad():
        return ppo.networks.judge(ppo.networks.remember(inputs, state), masks, truth)


def state_of(rollout, step, lanes=slice(None)):
    """Inputs, masks, truth and state, as `act` takes them."""
    observed = (rollout.inputs[step], rollout.masks[step], rollout.truth[step])
    arrays = (*observed, np.ones((RECIPE.lanes, RECIPE.memory), np.float32))
    return [array[lanes] for array in arrays]


def parameters(ppo):
    return torch.cat([each.detach().flatten() for each in ppo.networks.parameters()])


def entropy_after(rollout, weight):
    ppo = Ppo(replace(RECIPE, entropy=(weight, weight)), 0)
    for _ in range(8):
        losses = ppo.update(rollout, 0.0)
    return losses["entropy"]


def test_drawn_actions_are_accepted_and_their_probabilities_are_those_of_the_policy(rollout):
    """An update remembers what the policy did when it played: every ratio begins at 1."""
    taken = np.take_along_axis(rollout.masks, rollout.actions[..., None], axis=2)
    assert taken.all()
    out = judged(Ppo(RECIPE, 0), rollout)
    log_probabilities = out.logits.log_softmax(dim=-1).numpy()
    chosen = np.take_along_axis(log_probabilities, rollout.actions[..., None], axis=2)[..., 0]
    np.testing.assert_allclose(rollout.log_probabilities, chosen, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(rollout.values, out.values.numpy(), rtol=1e-4, atol=1e-5)
    assert rollout.ends[:-1].any()


def test_a_second_rollout_goes_on_with_the_memory_of_the_first():
    ppo = Ppo(RECIPE, 0)
    lanes = Lanes(RECIPE, 0, NUMPY, 0)
    lanes.play(ppo.act)
    second = lanes.play(ppo.act)
    assert second.first_state.any()
    chosen = judged(ppo, second).logits.log_softmax(dim=-1).numpy()
    chosen = np.take_along_axis(chosen, second.actions[..., None], axis=2)[..., 0]
    np.testing.assert_allclose(second.log_probabilities, chosen, rtol=1e-5, atol=1e-6)


def test_actions_are_drawn_by_their_probabilities(rollout):
    """Of 4,096 draws in one state, each action comes as often as it should, within 5 sigma."""
    ppo, count = Ppo(RECIPE, 1), 4096
    one = state_of(rollout, 0, slice(1))
    actions = ppo.act(*(np.repeat(array, count, axis=0) for array in one)).actions
    inputs, masks, truth, state = map(torch.from_numpy, one)
    with torch.no_grad():
        out = ppo.networks.judge(ppo.networks.remember(inputs[None], state)[0], masks, truth)
    probabilities = out.logits.softmax(dim=-1).numpy()[0]
    shares = np.bincount(actions, minlength=len(probabilities)) / count
    sigma = np.sqrt(probabilities * (1.0 - probabilities) / count)
    assert (np.abs(shares - probabilities) <= 5.0 * sigma).all()


def test_equal_seeds_draw_equal_actions_and_others_do_not(rollout):
    observed = state_of(rollout, 0)
    drawn = [Ppo(RECIPE, seed).act(*observed).actions for seed in (4, 4, 5)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert (drawn[0] != drawn[2]).any()


def test_losses_are_those_of_the_papers(rollout):
    """Of all lanes at once, in plain words; ratios lie on both sides of the clip."""
    ppo = Ppo(RECIPE, 0)
    part = module._batch(rollout, RECIPE.gae_lambda)
    moved = torch.linspace(-0.5, 0.5, RECIPE.lanes) + part["log_probabilities"]
    part["log_probabilities"] = moved
    state = torch.from_numpy(rollout.first_state)
    with torch.no_grad():
        loss, (policy, value, entropy, faults, clipped) = ppo.losses(part, state, 0.01)
    plays = part["plays"]
    out = judged(ppo, rollout)
    chances = out.logits.softmax(dim=-1)[plays]
    chosen = chances.gather(1, part["actions"][plays][:, None]).squeeze(1)
    ratio, gain = chosen / moved[plays].exp(), part["advantages"][plays]
    low, high = 1.0 - RECIPE.clip, 1.0 + RECIPE.clip
    gained = torch.minimum(ratio * gain, ratio.clamp(low, high) * gain)
    assert float(policy) == pytest.approx(-float(gained.mean()), rel=1e-4)
    missed = out.values[plays] - part["returns"][plays]
    assert float(value) == pytest.approx(float((missed**2).mean()), rel=1e-4)
    surprise = -(chances * chances.clamp(min=1e-30).log()).sum(dim=-1)
    assert float(entropy) == pytest.approx(float(surprise.mean()), rel=1e-4)
    assert 0.0 < float(clipped) < 1.0
    total = policy + RECIPE.value_loss * value + RECIPE.fault_loss * faults - 0.01 * entropy
    assert float(loss) == pytest.approx(float(total), rel=1e-5)


def test_an_update_reports_finite_losses(rollout):
    losses = Ppo(RECIPE, 0).update(rollout, 0.0)
    assert losses.keys() == LOSSES
    assert np.isfinite(list(losses.values())).all()
    assert 0.0 <= losses["clipped"] <= 1.0


def test_batch_has_all_steps_and_scales_the_advantages_of_those_that_were_played(rollout):
    batch = module._batch(rollout, RECIPE.gae_lambda)
    assert {tensor.shape[:2] for tensor in batch.values()} == {rollout.plays.shape}
    assert rollout.plays.sum() < rollout.plays.size
    of_plays = batch["advantages"][batch["plays"]]
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
