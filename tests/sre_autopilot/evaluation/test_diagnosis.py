"""A diagnosis counts accepted actions that cost something; lanes agree (test_vector_play.py)."""

import pytest

from orchestrator.environment import Environment
from sre_autopilot.evaluation.diagnosis import Diagnosis
from sre_autopilot.evaluation.results import Result
from sre_autopilot.models import SREAction
from sre_autopilot.policies import load_policy
from sre_autopilot.policies.play import play
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.world.topology import ENTRY, Service
from sre_autopilot.world.vocabulary import ACTION_COSTS, ActionName, Tier


@pytest.fixture(scope="module")
def environment():
    with Environment(SimulatorBackend) as environment:
        yield environment


def record_of(environment, tier, actions):
    environment.reset(seed=3, task_tier=tier)
    for action, service in actions:
        environment.step(SREAction(action=action, service_id=service))
    return environment.hidden_state()


def test_the_first_action_on_a_cause_is_the_detection(environment):
    root = record_of(environment, Tier.MEDIUM, []).faults[0].root
    other = next(service for service in Service if service not in (root, ENTRY))
    actions = [
        (ActionName.CIRCUIT_BREAK, ENTRY),  # refused
        (ActionName.WAIT, None),
        (ActionName.RESTART, other),
        (ActionName.SCALE_UP, root),
    ]
    diagnosis = Diagnosis.of(record_of(environment, Tier.MEDIUM, actions))
    assert (diagnosis.first_action_at, diagnosis.first_at_cause) == (3, False)
    assert (diagnosis.detected_at, diagnosis.actions) == (4, 2)
    costs = ACTION_COSTS[ActionName.RESTART] + ACTION_COSTS[ActionName.SCALE_UP]
    assert diagnosis.cost_units == costs


def test_hands_off_is_no_action_at_all(environment):
    diagnosis = Diagnosis.of(record_of(environment, Tier.CONTROL, [(ActionName.WAIT, None)]))
    assert diagnosis == Diagnosis(
        first_action_at=None, first_at_cause=None, detected_at=None, actions=0, cost_units=0
    )


def test_results_hold_the_diagnosis_and_older_ones_read_without_it(environment):
    record, _score = play(environment, load_policy("oracle"), Tier.EASY, 3)
    result = Result.of(record, "oracle")
    assert result.diagnosis == Diagnosis.of(record)
    older = result.model_dump_json(exclude={"diagnosis"})
    assert Result.model_validate_json(older).diagnosis is None
