"""Tools: one an action, with its cost and the services that it may name."""

import json

import pytest

from sre_autopilot.adapters.tools import (
    SERVICE_ID,
    describe,
    functions,
    needs_service,
    parameters,
)
from sre_autopilot.models import SREAction
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ACTION_COSTS, ActionName


def test_functions_are_the_actions_and_no_others():
    assert [function["name"] for function in functions()] == [*ActionName]
    assert json.loads(json.dumps(functions())) == functions()


@pytest.mark.parametrize("action", ActionName)
def test_a_description_names_the_cost(action):
    assert describe(action).endswith(f"cost {ACTION_COSTS[action]}.")
    assert describe(action)[0].isupper() and "\n" not in describe(action)


@pytest.mark.parametrize("action", ActionName)
def test_parameters_allow_an_action_on_each_service(action):
    schema = parameters(action)
    if not needs_service(action):
        assert schema["properties"] == {} and schema["required"] == []
        return
    assert schema["required"] == [SERVICE_ID]
    for service in schema["properties"][SERVICE_ID]["enum"]:
        assert SREAction.parse({"action": action, SERVICE_ID: service}).service_id == service


def test_only_waiting_needs_no_service():
    assert [action for action in ActionName if not needs_service(action)] == [ActionName.WAIT]
    described = parameters(ActionName.RESTART)["properties"][SERVICE_ID]["description"]
    assert all(service in described for service in Service)
