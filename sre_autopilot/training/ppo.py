"""Proximal policy optimisation (Schulman et al., 2017): a memory, a joint mask, hidden flags."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from sre_autopilot.training.actor_critic import ActorCritic
from sre_autopilot.training.experience import FLAG_COUNT, Acted, Rollout, advantages
from sre_autopilot.training.recipe import Recipe

ADAM_EPSILON = 1e-5
OBSERVED_SHARE = 0.05
"""Of a training, at whose beginning the networks get to know mean and deviation of the inputs."""
LOSSES = ("policy", "value", "entropy", "faults", "clipped")
"""What an update reports; clipped: share of the samples whose ratio left the clip's bounds."""
OBSERVED_EVERY = 8
"""Steps: mean and deviation of that many are as good."""
_TINY = 1e-8


class Ppo:
    """The networks, their optimizer, and one update after the other.

    seed: of initial weights, of the actions that are drawn, and of the order of samples.
    """

    def __init__(self, recipe: Recipe, seed: int) -> None:
        torch.manual_seed(seed)
        self._recipe = recipe
        self.networks = ActorCritic(recipe)
        self.optimizer = torch.optim.Adam(
            [self.networks.in_one],
            recipe.learning_rate[0],
            eps=ADAM_EPSILON,
            fused=True,
        )

    @torch.no_grad()
    def act(self, inputs: Any, masks: Any, truth: Any, state: Any) -> Acted:
        """Draws an action for each lane; see `experience.Act`."""
        read, *rest = (torch.from_numpy(array) for array in (inputs, masks, truth, state))
        after = self.networks.remember(read[None], rest.pop())[0]
        out = self.networks.judge(after, *rest)
        log_probabilities = out.logits.log_softmax(dim=-1)
        # The largest of log-probabilities with Gumbel noise is a draw by the probabilities.
        noise = torch.empty_like(log_probabilities).exponential_().log_()
        actions = (log_probabilities - noise).argmax(dim=-1)
        chosen = log_probabilities.gather(1, actions[:, None]).squeeze(1)
        return Acted(actions.numpy(), chosen.numpy(), out.values.numpy(), after.numpy())

    def update(self, rollout: Rollout, share: float) -> dict[str, float]:
        """Learns from a rollout; share: of the training that is over, 0 to 1.

        Returns the means of LOSSES over its minibatches, each of whole rows of some lanes.
        """
        recipe = self._recipe
        for group in self.optimizer.param_groups:
            group["lr"] = _between(recipe.learning_rate, share)
        batch, state = _batch(rollout, recipe.gae_lambda), torch.from_numpy(rollout.first_state)
        figures, entropy_weight = [], _between(recipe.entropy, share)
        for _ in range(recipe.epochs):
            for lanes in torch.randperm(recipe.lanes).split(recipe.minibatch // recipe.horizon):
                part = {name: tensor.index_select(1, lanes) for name, tensor in batch.items()}
                loss, losses = self.losses(part, state[lanes], entropy_weight)
                self.networks.in_one.grad.zero_()
                loss.backward()
                nn.utils.clip_grad_norm_([self.networks.in_one], recipe.gradient_norm)
                self.optimizer.step()
                figures.append(torch.stack([figure.detach() for figure in losses]))
        if share < OBSERVED_SHARE:
            played = batch["inputs"][batch["plays"]]
            self.networks.observe(played[::OBSERVED_EVERY])
        means = torch.stack(figures).mean(dim=0).tolist()
        return dict(zip(LOSSES, means, strict=True))

    def losses(
        self, part: Mapping[str, Any], state: Any, entropy_weight: float
    ) -> tuple[Any, tuple[Any, ...]]:
        """What an update makes smaller, and LOSSES. part: (horizon, lanes, ...) of each array.

        state: (lanes, units), before the first step, as the policy had it that played.
        """
        recipe = self._recipe
        states = self.networks.remember(part["inputs"], state)
        # A step that only begins the next episode is remembered, and no loss reads it.
        played = part["plays"].flatten().nonzero().squeeze(1)
        states, masks, truth, actions, before, gain, returns = (
            tensor.flatten(0, 1).index_select(0, played)
            for tensor in (states, *(part[name] for name in _READ))
        )
        out = self.networks.judge(states, masks, truth)
        log_probabilities = out.logits.log_softmax(dim=-1)
        ratio = (log_probabilities.gather(1, actions[:, None]).squeeze(1) - before).exp()
        bounded = ratio.clamp(1.0 - recipe.clip, 1.0 + recipe.clip)
        policy = -torch.minimum(ratio * gain, bounded * gain).mean()
        value = (out.values - returns).square().mean()
        # What is refused has probability 0 and adds nothing.
        entropy = -(log_probabilities.exp() * log_probabilities).sum(dim=-1).mean()
        uncured = truth[:, FLAG_COUNT : 2 * FLAG_COUNT]
        faults = binary_cross_entropy_with_logits(out.faults, uncured)
        clipped = ((ratio - 1.0).abs() > recipe.clip).float().mean()
        loss = policy + recipe.value_loss * value + recipe.fault_loss * faults
        return loss - entropy_weight * entropy, (policy, value, entropy, faults, clipped)


_READ = ("masks", "truth", "actions", "log_probabilities", "advantages", "returns")


def _batch(rollout: Rollout, gae_lambda: float) -> dict[str, Any]:
    """(horizon, lanes, ...) tensors; advantages of what was played have mean 0, deviation 1."""
    gains, plays = advantages(rollout, gae_lambda), rollout.plays
    of_plays = gains[plays]
    arrays = {
        "inputs": rollout.inputs,
        "masks": rollout.masks,
        "truth": rollout.truth,
        "actions": rollout.actions,
        "log_probabilities": rollout.log_probabilities,
        "plays": plays,
        "returns": gains + rollout.values,
        "advantages": (gains - of_plays.mean()) / (of_plays.std() + _TINY),
    }
    return {name: torch.from_numpy(np.asarray(array)) for name, array in arrays.items()}


def _between(ends: tuple[float, float], share: float) -> float:
    return ends[0] + (ends[1] - ends[0]) * share
