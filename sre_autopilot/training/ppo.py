"""Proximal policy optimisation (Schulman et al., 2017) with a joint mask and hidden flags."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from sre_autopilot.training.actor_critic import ActorCritic
from sre_autopilot.training.experience import FLAG_COUNT, Rollout, advantages
from sre_autopilot.training.recipe import Recipe

ADAM_EPSILON = 1e-5
OBSERVED_SHARE = 0.05
"""Of a training, at whose beginning the networks get to know mean and deviation of the inputs."""
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
            self.networks.parameters(), recipe.learning_rate[0], eps=ADAM_EPSILON, fused=True
        )

    @torch.no_grad()
    def act(self, inputs: Any, masks: Any, truth: Any) -> tuple[Any, Any, Any]:
        """Draws an action for each lane; see `experience.Act`."""
        tensors = [torch.from_numpy(array) for array in (inputs, masks, truth)]
        log_probabilities, values, _ = self.networks(*tensors)
        # The largest of log-probabilities with Gumbel noise is a draw by the probabilities.
        noise = torch.empty_like(log_probabilities).exponential_().log_()
        actions = (log_probabilities - noise).argmax(dim=-1)
        chosen = log_probabilities.gather(1, actions[:, None]).squeeze(1)
        return actions.numpy(), chosen.numpy(), values.numpy()

    def update(self, rollout: Rollout, share: float) -> dict[str, float]:
        """Learns from a rollout; share: of the training that is over, 0 to 1.

        Returns the means of the losses over its minibatches.
        """
        recipe = self._recipe
        for group in self.optimizer.param_groups:
            group["lr"] = _between(recipe.learning_rate, share)
        batch = _batch(rollout, recipe.gae_lambda)
        played = torch.from_numpy(np.flatnonzero(rollout.plays))
        inputs = batch["inputs"]
        if recipe.half_precision:
            batch["inputs"] = inputs.bfloat16()
        figures: list[dict[str, float]] = []
        for _ in range(recipe.epochs):
            for chosen in played[torch.randperm(len(played))].split(recipe.minibatch):
                # Rows are copied whole, which `tensor[chosen]` does element by element.
                part = {name: tensor.index_select(0, chosen) for name, tensor in batch.items()}
                figures.append(self._learn(part, _between(recipe.entropy, share)))
        if share < OBSERVED_SHARE:
            self.networks.observe(inputs[played])
        return {name: float(np.mean([each[name] for each in figures])) for name in figures[0]}

    def _learn(self, part: Mapping[str, Any], entropy_weight: float) -> dict[str, float]:
        recipe = self._recipe
        observed = (part[name] for name in ("inputs", "masks", "truth"))
        log_probabilities, values, faults = self.networks(*observed)
        chosen = log_probabilities.gather(1, part["actions"][:, None]).squeeze(1)
        ratio = (chosen - part["log_probabilities"]).exp()
        clipped = ratio.clamp(1.0 - recipe.clip, 1.0 + recipe.clip)
        gain = part["advantages"]
        losses = {
            "policy": -torch.minimum(ratio * gain, clipped * gain).mean(),
            "value": mse_loss(values, part["returns"]),
            # What is refused has probability 0 and adds nothing.
            "entropy": -(log_probabilities.exp() * log_probabilities).sum(dim=-1).mean(),
            "faults": binary_cross_entropy_with_logits(faults, part["flags"]),
        }
        loss = losses["policy"] + recipe.value_loss * losses["value"]
        loss = loss - entropy_weight * losses["entropy"] + recipe.fault_loss * losses["faults"]
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.networks.parameters(), recipe.gradient_norm)
        self.optimizer.step()
        moved = ((ratio - 1.0).abs() > recipe.clip).float().mean()
        return {name: value.item() for name, value in {**losses, "clipped": moved}.items()}


def _batch(rollout: Rollout, gae_lambda: float) -> dict[str, Any]:
    """All steps, in one row each; advantages of those that were played have mean 0, deviation 1."""
    gains, plays = advantages(rollout, gae_lambda), rollout.plays
    of_plays = gains[plays]
    arrays = {
        "inputs": rollout.inputs,
        "masks": rollout.masks,
        "truth": rollout.truth,
        "flags": rollout.truth[..., FLAG_COUNT : 2 * FLAG_COUNT],
        "actions": rollout.actions,
        "log_probabilities": rollout.log_probabilities,
        "returns": gains + rollout.values,
        "advantages": (gains - of_plays.mean()) / (of_plays.std() + _TINY),
    }
    return {name: torch.from_numpy(array).flatten(0, 1) for name, array in arrays.items()}


def _between(ends: tuple[float, float], share: float) -> float:
    return ends[0] + (ends[1] - ends[0]) * share
