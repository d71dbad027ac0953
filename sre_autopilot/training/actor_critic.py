"""The networks of a training: an actor, which becomes the policy, and a critic, which does not."""

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from sre_autopilot.history.newest import CAME_FROM, CLOCK, DONE_FROM, NEWEST_COUNT, VALUES_FROM
from sre_autopilot.simulator.gym.action_coding import FLAT_COUNT, FLAT_WAIT
from sre_autopilot.training.experience import FLAG_COUNT, TRUTH_COUNT
from sre_autopilot.training.recipe import Recipe
from sre_autopilot.training.recurrence import Recurrence

REFUSED = -1e9
"""In place of the logit of an action that would be refused: finite, so that no loss is NaN."""
_HIDDEN_GAIN, _ACTOR_GAIN, _OTHER_GAIN = 2.0**0.5, 0.01, 1.0
"""Of the initial weights: a first policy that hardly reads its inputs (Andrychowicz et al., "What
matters for on-policy deep actor-critic methods?", 2021)."""
_FIRST_KEEP = 1.0
"""First bias of the update gate: a state keeps .73 of itself in a step, so that gradients reach
early ones (Jozefowicz et al., "An empirical exploration of recurrent network architectures",
2015)."""
LEAST_OF_VALUE, LEAST_OF_FLAG = 0.01, 0.2
"""Least deviations. CPU and memory differ by little from a window to the next; an action that is
forbidden while inputs are observed is not blown up when it comes."""


class Outputs(NamedTuple):
    """Of (n,) steps: logits of the actions (n, FLAT_COUNT), values, which are the rewards that are
    expected to follow, and logits of uncured faults (n, FLAG_COUNT).
    """

    logits: Any
    values: Any
    faults: Any


class ActorCritic(nn.Module):
    """A layer reads the inputs, a recurrent unit remembers, and a layer thinks. On that stand the
    actor, a prediction of the hidden faults, and the critic, which reads the truth too.

    Inputs are brought to mean 0 and deviation 1, as `observe` has seen them; what did not come is
    0. Parameters lie in one array, and so do their gradients, so that the optimizer takes all of
    them at once.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self._privileged = recipe.privileged_critic
        self.units = recipe.memory
        first, second = recipe.hidden
        self.register_buffer("mean", torch.zeros(NEWEST_COUNT))
        self.register_buffer("deviation", torch.ones(NEWEST_COUNT))
        self.register_buffer("moments", torch.zeros(3, NEWEST_COUNT, dtype=torch.float64))
        self.first = _linear(NEWEST_COUNT, first, _HIDDEN_GAIN)
        self.gates_of_inputs = _gates(first, self.units)
        self.gates_of_state = _gates(self.units, self.units)
        nn.init.constant_(self.gates_of_inputs.bias[self.units : 2 * self.units], _FIRST_KEEP)
        self.second = _linear(self.units, second, _HIDDEN_GAIN)
        self.actor = _linear(second, FLAT_COUNT, _ACTOR_GAIN)
        odds = recipe.first_wait_share / (1.0 - recipe.first_wait_share)
        nn.init.constant_(self.actor.bias[FLAT_WAIT], math.log(odds * FLAT_WAIT))
        self.faults = _linear(second, FLAG_COUNT, _OTHER_GAIN)
        count = second + (TRUTH_COUNT if self._privileged else 0)
        self.critic = _linear(count, recipe.critic_hidden, _HIDDEN_GAIN)
        self.value = _linear(recipe.critic_hidden, 1, _OTHER_GAIN)
        self.in_one = _in_one(self)

    def remember(self, inputs: Any, state: Any) -> Any:
        """(steps, lanes, units): the states after each step.

        inputs: (steps, lanes, NEWEST_COUNT). state: (lanes, units), before the first step.
        """
        scaled = (inputs - self.mean) / self.deviation * _came(inputs)
        of_inputs = self.gates_of_inputs(self.first(scaled).relu())
        keeps = (inputs[..., CLOCK, None] != 0.0).float()
        gates = self.gates_of_state
        states: Any = Recurrence.apply(of_inputs, state, keeps, gates.weight, gates.bias)
        return states

    def judge(self, states: Any, masks: Any, truth: Any) -> Outputs:
        """Of (n, units) states; masks: (n, FLAT_COUNT), truth: (n, TRUTH_COUNT)."""
        last = self.second(states).relu()
        everything = torch.cat([last, truth], dim=-1) if self._privileged else last
        return Outputs(
            self.actor(last).masked_fill(~masks, REFUSED),
            self.value(self.critic(everything).relu()).squeeze(-1),
            self.faults(last),
        )

    @torch.no_grad()
    def observe(self, inputs: Any) -> None:
        """Mean and deviation become those of what came in these and all earlier `inputs`
        (n, NEWEST_COUNT).
        """
        came = _came(inputs).double()
        inputs = inputs.double() * came
        self.moments += torch.stack([came.sum(0), inputs.sum(0), inputs.square().sum(0)])
        count, total, squares = self.moments
        count = count.clamp(min=1.0)
        self.mean.copy_(total / count)
        variance = (squares / count - (total / count).square()).clamp(min=0.0)
        least = torch.full((NEWEST_COUNT,), LEAST_OF_FLAG)
        least[VALUES_FROM:CAME_FROM] = LEAST_OF_VALUE
        self.deviation.copy_(variance.sqrt().float().clamp(min=least))

    def arrays(self) -> dict[str, Any]:
        """Of the policy, as `policies.network` takes them."""
        layers = ("first", "gates_of_inputs", "gates_of_state", "second", "actor")
        tensors = {"mean": self.mean, "inverse_deviation": 1.0 / self.deviation}
        for name in layers:
            layer = getattr(self, name)
            tensors |= {f"matrix_{name}": layer.weight.t(), f"bias_{name}": layer.bias}
        return {name: _array(tensor) for name, tensor in tensors.items()}


def _came(inputs: Any) -> Any:
    """As `inputs`: 0 where a value did not come, else 1."""
    came = torch.ones_like(inputs)
    came[..., VALUES_FROM:CAME_FROM] = inputs[..., CAME_FROM:DONE_FROM]
    return came


def _linear(before: int, after: int, gain: float) -> Any:
    layer = nn.Linear(before, after)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer


def _gates(before: int, units: int) -> Any:
    """Three layers in one: of the reset and update gates, and of what is new."""
    layer = nn.Linear(before, 3 * units)
    for block in layer.weight.data.split(units):
        nn.init.orthogonal_(block)
    nn.init.zeros_(layer.bias)
    return layer


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
    return np.ascontiguousarray(tensor.detach().cpu().numpy(), dtype=np.float32)
