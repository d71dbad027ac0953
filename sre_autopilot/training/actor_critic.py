"""The networks of a training: an actor, which becomes the policy, and a critic, which does not."""

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

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


class Passed(NamedTuple):
    """What one pass computed, as `backward` needs it.

    trunk: of each layer its inputs (n, width), weights and outputs, as they were multiplied.
    critic: the same of its first layer. logits: (n, FLAT_COUNT), of the actions.
    """

    trunk: list[tuple[Any, Any, Any]]
    critic: tuple[Any, Any, Any]
    hidden: Any
    judged: Any
    logits: Any
    log_probabilities: Any
    values: Any
    faults: Any


class ActorCritic(nn.Module):
    """One trunk of ReLU layers reads the inputs, since its first layer is most of the work. On it
    stand the actor, a prediction of the hidden faults, and the critic, which reads the truth too.

    Inputs are brought to mean 0 and deviation 1, as `observe` has seen them; the layers of the
    policy contain that, so that who plays it need not know. With `half_precision` all but the
    last layers multiply in 16 bits while they train, and in 32 after `eval()`, as the policy plays.

    The gradient is written out, as `backward`: by autograd, an update takes a fifth more time.
    Parameters lie in one array, and so do their gradients, so that the optimizer takes all of them
    at once.
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
        self.critic = nn.ModuleList(
            [
                _linear(count, recipe.critic_hidden, _HIDDEN_GAIN),
                _linear(recipe.critic_hidden, 1, _OTHER_GAIN),
            ]
        )

        self.in_one = _in_one(self)

    @property
    def kind(self) -> torch.dtype:
        """What all but the last layers multiply."""
        return torch.bfloat16 if self._half_precision and self.training else torch.float32

    def forward(self, inputs: Any, masks: Any, truth: Any) -> tuple[Any, Any, Any]:
        """Log-probabilities (lanes, FLAT_COUNT), values (lanes,), which are the rewards that are
        expected to follow, and logits (lanes, FLAG_COUNT) of uncured faults.
        """
        passed = self.passes(inputs, masks, truth)
        return passed.log_probabilities, passed.values, passed.faults

    def passes(self, inputs: Any, masks: Any, truth: Any) -> Passed:
        """The outputs of `forward`, and what they were computed from."""
        kind = self.kind
        others = ((layer.weight, layer.bias) for layer in self._trunk_layers()[1:])
        trunk, output = [], inputs.to(kind)
        for weight, bias in (self._first_layer(), *others):
            trunk.append(_passed(output, weight, bias))
            output = trunk[-1][-1]
        everything = torch.cat([output, truth.to(kind)], dim=-1) if self._privileged else output
        first, last = self.critic
        critic = _passed(everything, first.weight, first.bias)
        # The last layers keep 32 bits: losses compare their outputs, which differ by per mille.
        hidden, judged = output.float(), critic[-1].float()
        logits = self.actor(hidden).masked_fill(~masks, REFUSED)
        return Passed(
            trunk,
            critic,
            hidden,
            judged,
            logits,
            torch.log_softmax(logits, dim=-1),
            last(judged).squeeze(-1),
            self.faults(hidden),
        )

    @torch.no_grad()
    def backward(self, passed: Passed, logits: Any, values: Any, faults: Any) -> None:
        """Sets the gradient of all parameters, from that of a loss by the outputs of a pass.

        logits: (n, FLAT_COUNT), by the logits of the actions, 0 where refused. values: (n,).
        faults: (n, FLAG_COUNT).
        """
        first, last = self.critic
        _set_gradient(last, values[:, None], passed.judged)
        everything, weight, output = passed.critic
        judged = _through_relu(values[:, None] * last.weight, output)
        _set_gradient(first, judged, everything)
        _set_gradient(self.actor, logits, passed.hidden)
        _set_gradient(self.faults, faults, passed.hidden)
        gradient = torch.mm(logits, self.actor.weight).addmm_(faults, self.faults.weight)
        gradient += torch.mm(judged, weight[:, : passed.hidden.shape[1]])
        for layer, (inputs, weight, output) in zip(
            reversed(self._trunk_layers()), reversed(passed.trunk), strict=True
        ):
            gradient = _through_relu(gradient, output)
            _set_gradient(layer, gradient, inputs)
            if layer is not self.trunk[0]:
                gradient = torch.mm(gradient, weight)
        of_scaled = self.trunk[0]
        of_scaled.weight.grad.addr_(of_scaled.bias.grad, self.mean, alpha=-1.0).div_(self.deviation)

    def _trunk_layers(self) -> list[Any]:
        return [layer for layer in self.trunk if isinstance(layer, nn.Linear)]

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
        _, *others = self._trunk_layers()
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


def _passed(inputs: Any, weight: Any, bias: Any) -> tuple[Any, Any, Any]:
    """Inputs, weights and outputs of a layer of ReLU, in the precision of the inputs."""
    weight = weight.to(inputs.dtype)
    return inputs, weight, torch.addmm(bias.to(inputs.dtype), inputs, weight.t()).relu()


def _through_relu(gradient: Any, output: Any) -> Any:
    return torch.ops.aten.threshold_backward(gradient.to(output.dtype), output, 0.0)


def _set_gradient(layer: Any, outputs: Any, inputs: Any) -> None:
    """outputs: (n, after), the gradient by a layer's outputs. inputs: (n, before)."""
    layer.weight.grad.copy_(torch.mm(outputs.t(), inputs))
    torch.sum(outputs, dim=0, dtype=torch.float32, out=layer.bias.grad)


def _in_one(networks: nn.Module) -> Any:
    """One array of which all parameters of the networks are parts, and of its gradient theirs."""
    parts = list(networks.parameters())
    one = torch.cat([part.detach().flatten() for part in parts]).requires_grad_()
    one.grad = torch.zeros_like(one)
    sizes = [part.numel() for part in parts]
    for part, values, gradient in zip(
        parts, one.detach().split(sizes), one.grad.split(sizes), strict=True
    ):
        part.data = values.view_as(part)
        part.grad = gradient.view_as(part)
    return one


def _array(tensor: Any) -> Any:
    return tensor.detach().cpu().numpy().astype(np.float32)
