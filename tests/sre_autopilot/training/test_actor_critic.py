"""The networks of a training: masks, who reads the truth, and the layers that are shipped."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from sre_autopilot.history.tape import INPUT_COUNT  # noqa: E402
from sre_autopilot.simulator.gym.action_coding import FLAT_COUNT, FLAT_WAIT  # noqa: E402
from sre_autopilot.training.actor_critic import (  # noqa: E402
    LEAST_DEVIATION,
    REFUSED,
    ActorCritic,
)
from sre_autopilot.training.experience import FLAG_COUNT, TRUTH_COUNT  # noqa: E402
from sre_autopilot.training.recipe import (  # noqa: E402
    SHIPPED,
    TERMINAL_ONLY,
    Recipe,
    recipe_text,
)

LANES = 6
WIDTHS = (24, 16)


def recipe(name):
    return replace(Recipe.parse(recipe_text(name)), hidden=WIDTHS, critic_hidden=8)


@pytest.fixture(params=[SHIPPED, TERMINAL_ONLY])
def networks(request):
    torch.manual_seed(0)
    return ActorCritic(recipe(request.param))


@pytest.fixture
def observed():
    """Inputs, masks in which every second action is refused, and truth."""
    draws = torch.Generator().manual_seed(1)
    masks = torch.zeros(LANES, FLAT_COUNT, dtype=torch.bool)
    masks[:, ::2] = True
    return (
        torch.rand(LANES, INPUT_COUNT, generator=draws),
        masks,
        torch.rand(LANES, TRUTH_COUNT, generator=draws),
    )


def test_outputs_have_a_row_a_lane(networks, observed):
    log_probabilities, values, faults = networks(*observed)
    assert log_probabilities.shape == (LANES, FLAT_COUNT)
    assert values.shape == (LANES,)
    assert faults.shape == (LANES, FLAG_COUNT)


def test_half_precision_rounds_while_training_and_nothing_that_is_played(observed):
    torch.manual_seed(0)
    networks = ActorCritic(replace(recipe(SHIPPED), half_precision=True))
    trained, played = networks(*observed)[1], networks.eval()(*observed)[1]
    assert not torch.equal(trained, played)
    torch.testing.assert_close(trained, played, rtol=0.05, atol=0.02)
    torch.manual_seed(0)
    whole = ActorCritic(replace(recipe(SHIPPED), half_precision=False))
    assert torch.equal(played, whole(*observed)[1])


def test_refused_actions_have_no_probability_and_the_others_all_of_it(networks, observed):
    probabilities = networks(*observed)[0].exp()
    masks = observed[1]
    assert (probabilities[~masks] == 0.0).all()
    assert probabilities[masks].reshape(LANES, -1).sum(dim=1).tolist() == pytest.approx([1] * LANES)


def test_a_lane_that_can_only_wait_waits(networks, observed):
    inputs, masks, truth = observed
    masks[:] = False
    masks[:, FLAT_WAIT] = True
    log_probabilities, _, _ = networks(inputs, masks, truth)
    assert log_probabilities[:, FLAT_WAIT].tolist() == [0.0] * LANES
    assert torch.isfinite(log_probabilities).all()


@pytest.mark.parametrize("share", [1 / FLAT_COUNT, 0.9])
def test_a_first_policy_waits_as_often_as_asked_and_chooses_evenly_else(share, observed):
    inputs, masks, truth = observed
    networks = ActorCritic(replace(recipe(SHIPPED), first_wait_share=share))
    probabilities = networks(inputs, torch.ones_like(masks), truth)[0].exp()
    others = probabilities[:, :FLAT_WAIT]
    assert probabilities[:, FLAT_WAIT].tolist() == pytest.approx([share] * LANES, rel=0.2)
    assert others.max() < 1.5 * others.min()


@pytest.mark.parametrize(("name", "reads"), [(SHIPPED, True), (TERMINAL_ONLY, False)])
def test_critic_alone_reads_the_truth_and_only_where_the_recipe_says_so(name, reads, observed):
    networks, (inputs, masks, truth) = ActorCritic(recipe(name)), observed
    before, after = networks(inputs, masks, truth), networks(inputs, masks, truth + 1.0)
    assert torch.equal(before[0], after[0])
    assert torch.equal(before[2], after[2])
    assert torch.equal(before[1], after[1]) != reads


def test_layers_of_the_policy_are_float32_arrays_without_the_critic(networks):
    layers = networks.layers()
    assert [matrix.shape for matrix, _ in layers] == [
        (INPUT_COUNT, WIDTHS[0]),
        WIDTHS,
        (WIDTHS[1], FLAT_COUNT),
    ]
    assert [bias.shape for _, bias in layers] == [(width,) for width in (*WIDTHS, FLAT_COUNT)]
    assert {array.dtype for layer in layers for array in layer} == {np.dtype(np.float32)}


def test_inputs_are_brought_to_mean_0_and_deviation_1(networks):
    draws = torch.Generator().manual_seed(2)
    halves = [5.0 + 3.0 * torch.randn(200, INPUT_COUNT, generator=draws) for _ in range(2)]
    for half in halves:
        networks.observe(half)
    inputs = torch.cat(halves)
    torch.testing.assert_close(networks.mean, inputs.mean(dim=0))
    torch.testing.assert_close(networks.deviation, inputs.std(dim=0, correction=0))


def test_an_input_that_never_changes_is_not_blown_up(networks):
    networks.observe(torch.full((4, INPUT_COUNT), 7.0))
    assert networks.deviation.tolist() == [pytest.approx(LEAST_DEVIATION)] * INPUT_COUNT


def test_layers_of_the_policy_contain_mean_and_deviation(networks, observed):
    inputs, masks, truth = observed
    networks.observe(inputs)
    before = networks(inputs, masks, truth)[0]
    (first, bias), *others = networks.layers()
    hidden = inputs.numpy() @ first + bias
    for matrix, own_bias in others:
        hidden = np.maximum(hidden, 0.0) @ matrix + own_bias
    logits = torch.from_numpy(hidden).masked_fill(~masks, REFUSED)
    torch.testing.assert_close(torch.log_softmax(logits, dim=-1), before, atol=1e-4, rtol=1e-4)


def test_parameters_lie_in_one_array_also_after_a_state_is_loaded(networks):
    def all_of(each):
        return torch.cat([part.detach().flatten() for part in each.parameters()])

    torch.manual_seed(1)
    other = ActorCritic(recipe(SHIPPED if networks._privileged else TERMINAL_ONLY))
    assert not torch.equal(all_of(networks), all_of(other))
    networks.load_state_dict(other.state_dict())
    assert torch.equal(networks.in_one, all_of(other))
    with torch.no_grad():
        networks.in_one += 1.0
    assert torch.equal(all_of(networks), networks.in_one)
    assert "in_one" not in networks.state_dict()


def test_layers_are_copies(networks):
    layers = networks.layers()
    before = layers[0][0].copy()
    with torch.no_grad():
        networks.trunk[0].weight += 1.0
    np.testing.assert_array_equal(layers[0][0], before)
