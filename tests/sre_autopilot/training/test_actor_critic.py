"""The networks of a training: masks, who reads the truth, and the layers that are shipped."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from sre_autopilot.history.newest import (  # noqa: E402
    CAME_FROM,
    CLOCK,
    DONE_FROM,
    NEWEST_COUNT,
    VALUES_FROM,
)
from sre_autopilot.policies.network import Network, Provenance, array_names  # noqa: E402
from sre_autopilot.simulator.gym.action_coding import FLAT_COUNT, FLAT_WAIT  # noqa: E402
from sre_autopilot.training.actor_critic import (  # noqa: E402
    LEAST_OF_FLAG,
    LEAST_OF_VALUE,
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

LANES, STEPS, UNITS = 6, 4, 5
WIDTHS = (24, 16)


def recipe(name):
    return replace(Recipe.parse(recipe_text(name)), hidden=WIDTHS, memory=UNITS, critic_hidden=8)


@pytest.fixture(params=[SHIPPED, TERMINAL_ONLY])
def networks(request):
    torch.manual_seed(0)
    return ActorCritic(recipe(request.param))


@pytest.fixture
def observed():
    """States, masks in which every second action is refused, and truth."""
    draws = torch.Generator().manual_seed(1)
    masks = torch.zeros(LANES, FLAT_COUNT, dtype=torch.bool)
    masks[:, ::2] = True
    return (
        torch.rand(LANES, UNITS, generator=draws),
        masks,
        torch.rand(LANES, TRUTH_COUNT, generator=draws),
    )


@pytest.fixture
def inputs():
    """(STEPS, LANES, NEWEST_COUNT), of which some values did not come."""
    draws = torch.Generator().manual_seed(7)
    made = torch.rand(STEPS, LANES, NEWEST_COUNT, generator=draws)
    came = (torch.rand(STEPS, LANES, DONE_FROM - CAME_FROM, generator=draws) > 0.3).float()
    made[..., CAME_FROM:DONE_FROM] = came
    made[..., VALUES_FROM:CAME_FROM] *= came
    return made


def probabilities(networks, *observed):
    return networks.judge(*observed).logits.softmax(dim=-1)


def test_outputs_have_a_row_a_state(networks, observed):
    out = networks.judge(*observed)
    assert out.logits.shape == (LANES, FLAT_COUNT)
    assert out.values.shape == (LANES,)
    assert out.faults.shape == (LANES, FLAG_COUNT)


def test_refused_actions_have_no_probability_and_the_others_all_of_it(networks, observed):
    chances, masks = probabilities(networks, *observed), observed[1]
    assert (chances[~masks] == 0.0).all()
    assert chances[masks].reshape(LANES, -1).sum(dim=1).tolist() == pytest.approx([1] * LANES)


def test_a_lane_that_can_only_wait_waits(networks, observed):
    states, masks, truth = observed
    masks[:] = False
    masks[:, FLAT_WAIT] = True
    chances = probabilities(networks, states, masks, truth)
    assert chances[:, FLAT_WAIT].tolist() == [1.0] * LANES


@pytest.mark.parametrize("share", [1 / FLAT_COUNT, 0.9])
def test_a_first_policy_waits_as_often_as_asked_and_chooses_evenly_else(share, observed):
    states, masks, truth = observed
    networks = ActorCritic(replace(recipe(SHIPPED), first_wait_share=share))
    chances = probabilities(networks, states, torch.ones_like(masks), truth)
    others = chances[:, :FLAT_WAIT]
    assert chances[:, FLAT_WAIT].tolist() == pytest.approx([share] * LANES, rel=0.2)
    assert others.max() < 1.5 * others.min()


@pytest.mark.parametrize(("name", "reads"), [(SHIPPED, True), (TERMINAL_ONLY, False)])
def test_critic_alone_reads_the_truth_and_only_where_the_recipe_says_so(name, reads, observed):
    networks, (states, masks, truth) = ActorCritic(recipe(name)), observed
    before, after = (networks.judge(states, masks, each) for each in (truth, truth + 1.0))
    assert torch.equal(before.logits, after.logits)
    assert torch.equal(before.faults, after.faults)
    assert torch.equal(before.values, after.values) != reads


def test_inputs_are_brought_to_mean_0_and_deviation_1_of_what_came(networks, inputs):
    flat = inputs.flatten(0, 1)
    for half in flat.split(len(flat) // 2):
        networks.observe(half)
    came = flat[:, CAME_FROM] > 0.0
    assert 0 < came.sum() < len(came)
    of_value = flat[came, VALUES_FROM]
    assert float(networks.mean[VALUES_FROM]) == pytest.approx(float(of_value.mean()), rel=1e-5)
    deviation = float(of_value.std(correction=0))
    assert float(networks.deviation[VALUES_FROM]) == pytest.approx(deviation, rel=1e-4)
    torch.testing.assert_close(networks.mean[DONE_FROM:], flat.mean(dim=0)[DONE_FROM:])


def test_an_input_that_never_changes_is_not_blown_up(networks):
    networks.observe(torch.ones(4, NEWEST_COUNT))
    assert networks.deviation[VALUES_FROM].tolist() == pytest.approx(LEAST_OF_VALUE)
    assert networks.deviation[DONE_FROM:].tolist() == pytest.approx(
        [LEAST_OF_FLAG] * (NEWEST_COUNT - DONE_FROM)
    )


def test_states_of_a_rollout_are_those_of_its_steps_one_by_one(networks, inputs):
    inputs[2, ::2, CLOCK] = 0.0
    first = torch.rand(LANES, UNITS, generator=torch.Generator().manual_seed(3))
    together, state = networks.remember(inputs, first), first
    for step in range(STEPS):
        state = networks.remember(inputs[step][None], state)[0]
        torch.testing.assert_close(state, together[step])


def test_arrays_of_the_policy_play_as_the_networks_do_without_the_critic(networks, inputs):
    networks.observe(inputs.flatten(0, 1))
    arrays = networks.arrays()
    assert [*arrays] == array_names()
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float32)}
    network = Network(arrays, Provenance("2", "", "", 0, 0, 0.0, {}))
    state = network.blank_state(LANES)
    for step in range(STEPS):
        logits, state = network.logits(inputs[step].numpy(), state)
    with torch.no_grad():
        states = networks.remember(inputs, torch.zeros(LANES, UNITS))
        everything = torch.ones(LANES, FLAT_COUNT, dtype=torch.bool)
        out = networks.judge(states[-1], everything, torch.zeros(LANES, TRUTH_COUNT))
    np.testing.assert_allclose(state, states[-1].numpy(), atol=1e-5)
    np.testing.assert_allclose(logits, out.logits.numpy(), atol=1e-5)
    assert (out.logits > REFUSED).all()


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


def test_arrays_are_copies(networks):
    arrays = networks.arrays()
    before = arrays["matrix_first"].copy()
    with torch.no_grad():
        networks.first.weight += 1.0
    np.testing.assert_array_equal(arrays["matrix_first"], before)
