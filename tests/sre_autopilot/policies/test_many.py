"""Policies in many lanes at once: each plays as it does alone."""

from functools import partial

import numpy as np
import pytest

from orchestrator.environment import Environment
from sre_autopilot.errors import InvalidValue
from sre_autopilot.models import SREAction
from sre_autopilot.policies import load_policy
from sre_autopilot.policies.many import ManyPolicies, pair_of
from sre_autopilot.policies.play import play
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.simulator.engines import NUMPY
from sre_autopilot.simulator.gym.vector_env import SREAutopilotVectorEnv
from sre_autopilot.simulator.lane_observations import MissingField
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, Tier

LANES = 2


def vector(**options):
    return SREAutopilotVectorEnv(LANES, Tier.MEDIUM, engine=NUMPY, objects=True, **options)


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
@pytest.mark.parametrize("name", ["belief", "runbook"])
def test_scores_in_lanes_are_those_of_the_environment(name, mode):
    """Two episodes a lane, one after the other."""
    env, many = (
        vector(trace_edges=True, autoreset_mode=mode),
        ManyPolicies(partial(load_policy, name), LANES),
    )
    env.reset(seed=300_000)
    scores: list[list[float]] = [[], []]
    while min(map(len, scores)) < 2:
        _, rewards, done, _, _ = env.step(many.act_many(env.observations()))
        for lane in np.flatnonzero(done).tolist():
            scores[lane].append(float(rewards[lane]))
    with Environment(SimulatorBackend) as environment:
        for lane in range(LANES):
            seeds = (300_000 + lane, 300_000 + lane + LANES)
            alone = [
                play(environment, load_policy(name), Tier.MEDIUM, seed)[1].total for seed in seeds
            ]
            assert scores[lane][:2] == pytest.approx(alone, abs=1e-9)


def test_a_policy_that_needs_the_truth_is_refused():
    with pytest.raises(ValueError, match="oracle needs the truth"):
        ManyPolicies(partial(load_policy, "oracle"), LANES)


def test_draws_differ_from_lane_to_lane_and_are_the_same_again():
    env = vector()
    env.reset(seed=1)
    observations = env.observations()
    actions = [
        ManyPolicies(partial(load_policy, "random"), LANES, draw_seed=seed).act_many(observations)
        for seed in (0, 0, 1)
    ]
    assert actions[0] == actions[1] != actions[2]
    assert actions[2][0] == actions[0][1]


def test_observations_are_there_on_request_only_and_without_spans_incomplete():
    env = SREAutopilotVectorEnv(LANES, engine=NUMPY)
    env.reset(seed=1)
    with pytest.raises(InvalidValue, match="objects must be True"):
        env.observations()
    env = vector()
    env.reset(seed=1)
    with pytest.raises(MissingField, match="no trace_edges"):
        _ = env.observations()[0].trace_edges


def test_an_action_without_a_service_has_the_first_by_number():
    assert pair_of(SREAction(action=ActionName.WAIT)) == (4, 0)
    action = SREAction(action=ActionName.ROLLBACK, service_id=Service.PAYMENT_GATEWAY)
    assert pair_of(action) == (3, 6)
