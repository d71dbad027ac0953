"""Proximal policy optimisation (Schulman et al., 2017) with a joint mask and hidden flags."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from sre_autopilot.training.actor_critic import ActorCritic, Passed
from sre_autopilot.training.experience import FLAG_COUNT, Acted, Rollout, advantages
from sre_autopilot.training.recipe import Recipe

ADAM_EPSILON = 1e-5
OBSERVED_SHARE = 0.05
"""Of a training, at whose beginning the networks get to know mean and deviation of the inputs."""
LOSSES = ("policy", "value", "entropy", "faults", "clipped")
"""What an update reports; clipped: share of the samples whose ratio left the clip's bounds."""
OBSERVED_EVERY = 8
"""Steps: mean and deviation of that many are as good."""
REPORTED_EVERY = 8
"""Minibatches: figures of each of them would take a thirtieth of the time."""
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
    def act(self, inputs: Any, masks: Any, truth: Any) -> Acted:
        """Draws an action for each lane; see `experience.Act`."""
        # Rounded here, once: an update reads all of it again.
        read = torch.from_numpy(inputs).to(self.networks.kind)
        rest = [torch.from_numpy(array) for array in (masks, truth)]
        log_probabilities, values, _ = self.networks(read, *rest)
        # The largest of log-probabilities with Gumbel noise is a draw by the probabilities.
        noise = torch.empty_like(log_probabilities).exponential_().log_()
        actions = (log_probabilities - noise).argmax(dim=-1)
        chosen = log_probabilities.gather(1, actions[:, None]).squeeze(1)
        return Acted(read, actions.numpy(), chosen.numpy(), values.numpy())

    def update(self, rollout: Rollout, share: float) -> dict[str, float]:
        """Learns from a rollout; share: of the training that is over, 0 to 1.

        Returns the means of LOSSES over every eighth of its minibatches.
        """
        recipe = self._recipe
        for group in self.optimizer.param_groups:
            group["lr"] = _between(recipe.learning_rate, share)
        batch = _batch(rollout, recipe.gae_lambda)
        played = torch.from_numpy(np.flatnonzero(rollout.plays))
        figures, entropy_weight = [], _between(recipe.entropy, share)
        for _ in range(recipe.epochs):
            minibatches = played[torch.randperm(len(played))].split(recipe.minibatch)
            for number, chosen in enumerate(minibatches):
                # Rows are copied whole, which `tensor[chosen]` does element by element.
                part = {name: tensor.index_select(0, chosen) for name, tensor in batch.items()}
                out = self._learn(part, entropy_weight)
                if number % REPORTED_EVERY == 0:
                    figures.append(_losses(out, part, recipe.clip))
        if share < OBSERVED_SHARE:
            self.networks.observe(batch["inputs"][played[::OBSERVED_EVERY]])
        means = torch.stack(figures).mean(dim=0).tolist()
        return dict(zip(LOSSES, means, strict=True))

    @torch.no_grad()
    def _learn(self, part: Mapping[str, Any], entropy_weight: float) -> "_Outputs":
        """A step of the optimizer. Returns the outputs that it began with."""
        recipe, count = self._recipe, len(part["actions"])
        passed = self.networks.passes(part["inputs"], part["masks"], part["truth"])
        out = _outputs(passed, part, recipe.clip)
        # By the logits: d log p(chosen) = 1[chosen] - p, and dH = -p (log p + H).
        by_chosen = torch.where(out.gained <= out.bounded, out.gained, 0.0) / -count
        spread = passed.log_probabilities + out.entropy[:, None]
        by_logits = out.probabilities * spread * (entropy_weight / count)
        by_logits.addcmul_(out.probabilities, by_chosen[:, None], value=-1.0)
        by_logits.scatter_add_(1, part["actions"][:, None], by_chosen[:, None])
        by_values = out.missed * (2.0 * recipe.value_loss / count)
        flags = _flags(part)
        by_faults = (passed.faults.sigmoid() - flags) * (recipe.fault_loss / flags.numel())
        self.networks.backward(passed, by_logits, by_values, by_faults)
        nn.utils.clip_grad_norm_([self.networks.in_one], recipe.gradient_norm)
        self.optimizer.step()
        return out


class _Outputs(NamedTuple):
    """Of a minibatch, (n,) but for what has a column an action.

    gained, bounded: the ratio of new to old probability times the advantage, and so with a ratio
    within the clip. missed: by how much the value is above what followed.
    """

    passed: Passed
    probabilities: Any
    entropy: Any
    ratio: Any
    gained: Any
    bounded: Any
    missed: Any


def _outputs(passed: Passed, part: Mapping[str, Any], clip: float) -> _Outputs:
    log_probabilities = passed.log_probabilities
    # Not the exponentials of `log_probabilities`, which take four times as long.
    probabilities = passed.logits.softmax(dim=-1)
    chosen = log_probabilities.gather(1, part["actions"][:, None]).squeeze(1)
    ratio, gain = (chosen - part["log_probabilities"]).exp(), part["advantages"]
    return _Outputs(
        passed,
        probabilities,
        # What is refused has probability 0 and adds nothing.
        -(probabilities * log_probabilities).sum(dim=-1),
        ratio,
        ratio * gain,
        ratio.clamp(1.0 - clip, 1.0 + clip) * gain,
        passed.values - part["returns"],
    )


def _losses(out: _Outputs, part: Mapping[str, Any], clip: float) -> Any:
    """LOSSES, as a tensor."""
    losses = (
        -torch.minimum(out.gained, out.bounded).mean(),
        out.missed.square().mean(),
        out.entropy.mean(),
        binary_cross_entropy_with_logits(out.passed.faults, _flags(part)),
        ((out.ratio - 1.0).abs() > clip).float().mean(),
    )
    return torch.stack(losses)


def _flags(part: Mapping[str, Any]) -> Any:
    """(n, FLAG_COUNT): uncured faults."""
    return part["truth"][:, FLAG_COUNT : 2 * FLAG_COUNT]


def _batch(rollout: Rollout, gae_lambda: float) -> dict[str, Any]:
    """All steps, in one row each; advantages of those that were played have mean 0, deviation 1."""
    gains, plays = advantages(rollout, gae_lambda), rollout.plays
    of_plays = gains[plays]
    arrays = {
        "masks": rollout.masks,
        "truth": rollout.truth,
        "actions": rollout.actions,
        "log_probabilities": rollout.log_probabilities,
        "returns": gains + rollout.values,
        "advantages": (gains - of_plays.mean()) / (of_plays.std() + _TINY),
    }
    flat = {name: torch.from_numpy(array).flatten(0, 1) for name, array in arrays.items()}
    return {"inputs": torch.cat(rollout.inputs), **flat}


def _between(ends: tuple[float, float], share: float) -> float:
    return ends[0] + (ends[1] - ends[0]) * share
