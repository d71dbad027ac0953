"""The recurrent unit of a training: as torch's own cell, step by step, and so its gradient."""

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from sre_autopilot.training.recurrence import Recurrence  # noqa: E402

STEPS, LANES, UNITS = 7, 5, 4


@pytest.fixture
def tensors():
    """Inputs' part, state, keeps (a lane in four begins an episode), weight and bias."""
    draws = torch.Generator().manual_seed(4)

    def drawn(*shape):
        return torch.randn(*shape, generator=draws, dtype=torch.float64).requires_grad_()

    keeps = (torch.rand(STEPS, LANES, 1, generator=draws) > 0.25).double()
    assert 0 < keeps.sum() < keeps.numel()
    state = drawn(LANES, UNITS).detach()
    width = 3 * UNITS
    return drawn(STEPS, LANES, width), state, keeps, drawn(width, UNITS), drawn(width)


def by_cell(*tensors):
    """torch.nn.GRUCell, which multiplies its inputs itself: by the unit matrix here."""
    of_inputs, state, keeps, weight, bias = tensors
    cell = torch.nn.GRUCell(3 * UNITS, UNITS, dtype=torch.float64)
    parameters = {
        "weight_ih": torch.eye(3 * UNITS, dtype=torch.float64),
        "weight_hh": weight,
        "bias_ih": torch.zeros(3 * UNITS, dtype=torch.float64),
        "bias_hh": bias,
    }
    states = []
    for inputs, keep in zip(of_inputs, keeps, strict=True):
        state = torch.func.functional_call(cell, parameters, (inputs, state * keep))
        states.append(state)
    return torch.stack(states)


def test_states_are_those_of_a_cell_that_begins_anew_with_an_episode(tensors):
    torch.testing.assert_close(Recurrence.apply(*tensors), by_cell(*tensors))


def test_gradient_is_that_of_autograd_through_the_cell(tensors):
    weights = torch.rand(STEPS, LANES, UNITS, generator=torch.Generator().manual_seed(5))
    asked = [tensor for tensor in tensors if tensor.requires_grad]
    written, expected = (
        torch.autograd.grad((made * weights).sum(), asked)
        for made in (Recurrence.apply(*tensors), by_cell(*tensors))
    )
    for ours, theirs in zip(written, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_nothing_is_remembered_over_the_beginning_of_an_episode(tensors):
    of_inputs, state, keeps, weight, bias = tensors
    keeps = torch.ones_like(keeps)
    keeps[3] = 0.0
    other = of_inputs.detach().clone()
    other[:3] += 1.0
    one, two = (
        Recurrence.apply(inputs, state, keeps, weight, bias) for inputs in (of_inputs, other)
    )
    assert not torch.equal(one[:3], two[:3])
    assert torch.equal(one[3:], two[3:])
