"""The networks of a training: an actor, which becomes the policy, and a critic, which does not."""

import math
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from sre_autopilot.history.tape import INPUT_COUNT
from sre_autopilot.simulator.gym.action_coding import FLAT_COUNT, FLAT_WAIT
from sre_autopilot.training.experience import FLAG_COUNT, TRUTH_COUNT
from sre_autopilot.training.recipe import Recipe

REFUSED = -1e9
"""In place of the logit of an action that would be refused: finite, so that no loss is NaN."""
_HIDDEN_GAIN, _ACTOR_GAIN, _OTHER_GAIN = 2.0**0.5, 0.01, 1.0
"""Of the initial weights: a first policy that hardly reads its inputs (Andrychowicz et al., "What
matters for on-policy deep actor-critic methods?", 2021)."""
LEAST_DEVIATION = 0.05
"""An input that hardly ever changes is not blown up by more than the inverse of this."""


class ActorCritic(nn.Module):
    """One trunk of ReLU layers reads the inputs, since its first layer is most of the work. On it
    stand the actor, a prediction of the hidden faults, and the critic, which reads the truth too.

    Inputs are brought to mean 0 and deviation 1, as `observe` has seen them; the layers of the
    policy contain that, so that who plays it need not know. With `half_precision` all but the
    last layers multiply in 16 bits while they train, and in 32 after `eval()`, as the policy plays.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self._privileged = recipe.privileged_critic
        self._half_precision = recipe.half_precision
        width = recipe.hidden[-1]
        self.trunk = _trunk(INPUT_COUNT, recipe.hidden)
        self.register_buffer("mean", torch.zeros(INPUT_COUNT))
        self.register_buffer("deviation", torch.ones(INPUT_COUNT))
        self.register_buffer("moments", torch.zeros(3, INPUT_COUNT, dtype=torch.float64))
        self.actor = _linear(width, FLAT_COUNT, _ACTOR_GAIN)
        odds = recipe.first_wait_share / (1.0 - recipe.first_wait_share)
        nn.init.constant_(self.actor.bias[FLAT_WAIT], math.log(odds * FLAT_WAIT))
        self.faults = _linear(width, FLAG_COUNT, _OTHER_GAIN)
        count = width + (TRUTH_COUNT if self._privileged else 0)
        self.critic = nn.Sequential(
            _trunk(count, (recipe.critic_hidden,)),
            _linear(recipe.critic_hidden, 1, _OTHER_GAIN),
        )

    def forward(self, inputs: Any, masks: Any, truth: Any) -> tuple[Any, Any, Any]:
        """Log-probabilities (lanes, FLAT_COUNT), values (lanes,), which are the rewards that are
        expected to follow, and logits (lanes, FLAG_COUNT) of uncured faults.
        """
        weight, bias = self._first_layer()
        half = self._half_precision and self.training
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            hidden = self.trunk[1:](functional.linear(inputs, weight, bias))
            everything = torch.cat([hidden, truth], dim=-1) if self._privileged else hidden
            judged = self.critic[0](everything)
        # The last layers keep 32 bits: losses compare their outputs, which differ by per mille.
        hidden, judged = hidden.float(), judged.float()
        logits = self.actor(hidden).masked_fill(~masks, REFUSED)
        values = self.critic[1](judged).squeeze(-1)
        return torch.log_softmax(logits, dim=-1), values, self.faults(hidden)

    def _first_layer(self) -> tuple[Any, Any]:
        """Weight and bias for inputs of any mean and deviation."""
        first = self.trunk[0]
        weight = first.weight / self.deviation
        return weight, first.bias - weight @ self.mean

    def observe(self, inputs: Any) -> None:
        """Mean and deviation become those of these and all earlier `inputs` (n, INPUT_COUNT)."""
        inputs = inputs.double()
        ones = torch.ones_like(inputs[0])
        self.moments += torch.stack([ones * len(inputs), inputs.sum(0), inputs.square().sum(0)])
        count, total, squares = self.moments
        self.mean.copy_(total / count)
        variance = (squares / count - (total / count).square()).clamp(min=0.0)
        self.deviation.copy_(variance.sqrt().clamp(min=LEAST_DEVIATION))

    def layers(self) -> list[tuple[Any, Any]]:
        """Of the policy, as `policies.network` takes them."""
        _, *others = [layer for layer in self.trunk if isinstance(layer, nn.Linear)]
        later = ((layer.weight, layer.bias) for layer in (*others, self.actor))
        return [
            (_array(weight).T.copy(), _array(bias))
            for weight, bias in (self._first_layer(), *later)
        ]


def _trunk(count: int, widths: tuple[int, ...]) -> Any:
    layers: list[Any] = []
    for before, after in zip((count, *widths), widths, strict=False):
        layers += [_linear(before, after, _HIDDEN_GAIN), nn.ReLU()]
    return nn.Sequential(*layers)


def _linear(before: int, after: int, gain: float) -> Any:
    layer = nn.Linear(before, after)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer


def _array(tensor: Any) -> Any:
    return tensor.detach().cpu().numpy().astype(np.float32)
