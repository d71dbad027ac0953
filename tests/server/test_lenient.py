"""Lenient sessions: over a socket, a bad action costs its step and ends nothing."""

import re

import pytest

from sre_autopilot.models import SREAction
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName
from tests.server.doors import WAIT

BAD = [
    ({"action": "I would restart the user database."}, ActionName),
    ({"action": ActionName.RESTART, "service_id": "users"}, Service),
    ({"action": ActionName.RESTART}, Service),
    ({**WAIT, "reasoning": "no proof yet"}, ("reasoning", "action", "service_id")),
    ({}, ActionName),
]


@pytest.fixture
def client(kept_client):
    return kept_client


def ask(socket, kind, **data):
    socket.send_json({"type": kind, "data": data})
    return socket.receive_json()


@pytest.mark.parametrize(("action", "names"), BAD)
def test_a_bad_action_costs_its_step_and_says_why(client, action, names):
    with client.websocket_connect("/ws") as socket:
        ask(socket, "reset", seed=1, lenient=True)
        observation = ask(socket, "step", **action)["data"]["observation"]
        assert observation["step"] == 1 and observation["cost_spent"] == 0
        assert observation["action_history"] == [{**WAIT, "service_id": None}]
        assert all(name in observation["last_action_error"] for name in names)
        after = ask(socket, "step", **WAIT)["data"]["observation"]
        assert after["step"] == 2 and after["last_action_error"] is None


@pytest.mark.parametrize(("action", "names"), BAD)
def test_a_strict_session_refuses_it_with_the_valid_values(client, action, names):
    with client.websocket_connect("/ws") as socket:
        ask(socket, "reset", seed=1)
        refused = ask(socket, "step", **action)
        assert refused["type"] == "error" and refused["data"]["code"] == "VALIDATION_ERROR"
        assert all(name in refused["data"]["message"] for name in names)
        assert ask(socket, "step", **WAIT)["data"]["observation"]["step"] == 1


def test_the_next_reset_is_strict_again_and_a_wrong_flag_is_refused(client):
    with client.websocket_connect("/ws") as socket:
        ask(socket, "reset", lenient=True)
        assert "true or false" in ask(socket, "reset", lenient="yes")["data"]["message"]
        ask(socket, "reset", seed=1)
        assert ask(socket, "step", action="dance")["type"] == "error"


def test_the_schema_of_requests_has_the_rules_that_are_checked(client):
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    for body, name in (("ResetRequest", "episode_id"), ("StepRequest", "session_id")):
        assert re.fullmatch(schemas[body]["properties"][name]["pattern"], "Run-1.a")
        assert not re.fullmatch(schemas[body]["properties"][name]["pattern"], "-rf")
    flat, _nested = schemas["StepRequest"]["else"]["anyOf"]
    assert (
        flat["required"] == ["service_id"] and flat["properties"]["service_id"]["type"] == "string"
    )


def test_http_stays_strict_and_the_schema_is_that_of_an_action(client):
    assert client.post("/reset", json={"lenient": True}).status_code == 422
    assert client.get("/schema").json()["action"] == SREAction.model_json_schema()
