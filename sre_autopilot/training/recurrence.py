"""The steps of a gated recurrent unit over a rollout, with their gradient written out.

By autograd, operation by operation, an update would take twice as long: a step of a few lanes is
small, and each operation costs as much as its numbers.
"""

from typing import Any

import torch


class Recurrence(torch.autograd.Function):
    """after = new + update * (before - new), where new = tanh(x_new + reset * h_new), and reset and
    update are sigmoids of x + h: x is of the step's inputs, h of the state before.

    Shapes: (steps, lanes, units) states; three units' worth of `of_inputs`, by reset, update, new.
    """

    @staticmethod
    def forward(ctx: Any, *tensors: Any) -> Any:
        """The states after each step; `state` and `keeps` get no gradient.

        of_inputs: (steps, lanes, 3 * units). state: (lanes, units), before the first step.
        keeps: (steps, lanes, 1), 0 where an episode begins, else 1. weight: (3 * units, units).
        bias: (3 * units,).
        """
        of_inputs, state, keeps, weight, bias = tensors
        steps, lanes, _ = of_inputs.shape
        width = weight.shape[1]
        earlier, afters, news = (of_inputs.new_empty(steps, lanes, width) for _ in range(3))
        gates = of_inputs.new_empty(steps, lanes, 2 * width)
        of_states = of_inputs.new_empty(steps, lanes, 3 * width)
        turned = weight.t()
        # Views of all steps at once, which an index in each step would make one by one.
        for before, after, new, gate, reset, update, gate_x, new_x, of_state, keep in zip(
            earlier.unbind(),
            afters.unbind(),
            news.unbind(),
            gates.unbind(),
            gates[..., :width].unbind(),
            gates[..., width:].unbind(),
            of_inputs[..., : 2 * width].unbind(),
            of_inputs[..., 2 * width :].unbind(),
            of_states.unbind(),
            keeps.unbind(),
            strict=True,
        ):
            torch.mul(state, keep, out=before)
            torch.addmm(bias, before, turned, out=of_state)
            torch.add(gate_x, of_state[:, : 2 * width], out=gate).sigmoid_()
            torch.addcmul(new_x, reset, of_state[:, 2 * width :], out=new).tanh_()
            torch.lerp(new, before, update, out=after)
            state = after
        ctx.save_for_backward(earlier, news, gates, of_states, keeps, weight)
        return afters

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        """gradient: (steps, lanes, units), by the states after each step."""
        earlier, news, gates, of_states, keeps, weight = ctx.saved_tensors
        steps, lanes, width = earlier.shape
        resets, updates = gates[..., :width], gates[..., width:]
        by_new = (1.0 - updates) * (1.0 - news.square())
        # What of the gradient by a state is that by the three parts of `of_states`.
        shares = torch.stack(
            [
                by_new * of_states[..., 2 * width :] * resets * (1.0 - resets),
                (earlier - news) * updates * (1.0 - updates),
                by_new * resets,
            ],
            dim=2,
        )
        kept = updates * keeps
        wholes = torch.empty_like(gradient)
        parts = gradient.new_empty(steps, lanes, 3, width)
        flat = parts.view(steps, lanes, 3 * width)
        later = torch.zeros_like(gradient[0])
        of_steps = (gradient, wholes, wholes[:, :, None], shares, parts, flat, keeps, kept)
        for by_state, whole, whole_wide, share, part, part_flat, keep, kept_now in zip(
            *(reversed(tensor.unbind()) for tensor in of_steps), strict=True
        ):
            torch.add(by_state, later, out=whole)
            torch.mul(whole_wide, share, out=part)
            later = torch.mm(part_flat, weight).mul_(keep).addcmul_(whole, kept_now)
        by_inputs = flat.clone()
        torch.mul(wholes, by_new, out=by_inputs[..., 2 * width :])
        by_weight = flat.flatten(0, 1).t() @ earlier.flatten(0, 1)
        return by_inputs, None, None, by_weight, flat.sum(dim=(0, 1))
