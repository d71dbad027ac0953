"""Bad input: a clear error with the right status; nothing leaks, and the episode goes on."""

import json
import re

import pytest
from pydantic import ValidationError

from orchestrator.backends import BACKENDS
from sre_autopilot.errors import InvalidAction, UnknownName
from sre_autopilot.llm.answer import parse_answer
from sre_autopilot.models import SREAction
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import MAX_STEPS, ActionName, Tier
from tests.server.doors import WAIT, sessions_in_use, until

JSON = {"content-type": "application/json"}


@pytest.fixture
def client(kept_client):
    return kept_client


def is_problem(answer, status):
    """Whether it is an error as all errors are, and says something."""
    problem = answer.json()
    assert answer.status_code == status, answer.text
    assert problem.keys() == {"error", "detail", "field", "valid_values"}
    assert problem["error"] and len(problem["detail"]) > len("Not Found")
    return problem


@pytest.fixture
def begun(client):
    """An episode at its first step, which has to go on after the test."""
    client.post("/reset", json={"seed": 1, "episode_id": "mine"})
    client.post("/step", json=WAIT)
    yield client
    state = client.get("/state").json()
    assert (state["episode_id"], state["step_count"]) == ("mine", 1)
    answer = client.post("/step", json=WAIT)
    assert answer.status_code == 200 and answer.json()["observation"]["step"] == 2
    assert sessions_in_use(client) == 1


@pytest.mark.parametrize(
    ("path", "body", "field", "valid"),
    [
        ("/step", {"action": "reboot", "service_id": "user_db"}, "action", list(ActionName)),
        ("/step", {"action": "restart", "service_id": "users"}, "service_id", list(Service)),
        ("/step", {"action": {"action": "restart"}}, "service_id", list(Service)),
        ("/step", {"action": "restart"}, "service_id", list(Service)),
        ("/step", {"action": ["restart"]}, "action", list(ActionName)),
        ("/step", {"service_id": "user_db"}, "action", list(ActionName)),
        ("/step", {"action": "wait", "service": "user_db"}, "service", ["session_id", "action"]),
        ("/step", {"action": {"action": "wait", "force": 1}}, "force", ["session_id", "action"]),
        ("/step", [], "body", None),
        ("/reset", {"task_tier": "brutal"}, "task_tier", list(Tier)),
        ("/reset", {"tier": "easy"}, "tier", ["session_id", "task_tier", "seed", "episode_id"]),
        ("/reset", {"seed": -1}, "seed", None),
        ("/reset", {"seed": 2**63}, "seed", None),
        ("/reset", {"seed": "many"}, "seed", None),
        ("/reset", {"seed": 1.5}, "seed", None),
        ("/reset", {"episode_id": "../../mine"}, "episode_id", None),
        ("/reset", {"episode_id": "-rf"}, "episode_id", None),
        ("/reset", {"session_id": "not a name"}, "session_id", None),
        ("/reset", {"session_id": ""}, "session_id", None),
        ("/reset", {"session_id": "x" * 129}, "session_id", None),
        ("/reset", {"policy": "x" * 129}, "policy", None),
        ("/reset", "easy", "body", None),
    ],
)
def test_a_wrong_name_or_value_lists_the_valid_ones(begun, path, body, *, field, valid):
    problem = is_problem(begun.post(path, json=body), 422)
    assert problem["field"] == field
    listed = problem["valid_values"]
    assert listed is None if valid is None else listed[: len(valid)] == valid
    assert field is None or field in problem["detail"]


@pytest.mark.parametrize("query", ["tier=brutal", "tier=easy&seed=-1", "tier=easy&seed=x", "tier="])
def test_a_wrong_query_is_refused(begun, query):
    problem = is_problem(begun.get(f"/grader?{query}"), 422)
    assert problem["field"] in query


def test_an_unknown_backend_lists_those_there_are(plain_client):
    problem = is_problem(plain_client.post("/reset", json={"backend": "marble"}), 422)
    assert problem["field"] == "backend" and problem["valid_values"] == [*BACKENDS, "module:Class"]
    assert is_problem(plain_client.get("/grader?tier=easy&backend=marble"), 422) == problem
    assert is_problem(plain_client.get("/baseline?backend=marble"), 422) == problem
    assert sessions_in_use(plain_client) == 0


@pytest.mark.parametrize("path", ["/reset", "/step"])
@pytest.mark.parametrize(
    "content",
    [b"{", b"nope", b'{"action": wait}', b"\xff", b"[" * 5000, b'{"seed": ' + b"9" * 5000 + b"}"],
)
def test_malformed_json_is_said_to_be_so(begun, path, content):
    is_problem(begun.post(path, content=content, headers=JSON), 400)


@pytest.mark.parametrize(
    "content",
    [b'{"seed": "\\ud800"}', b'{"\\ud800": 1}', b'{"session_id": "\\ud800"}', b'{"seed": NaN}'],
)
def test_unsound_values_are_refused(begun, content):
    is_problem(begun.post("/reset", content=content, headers=JSON), 422)


@pytest.mark.parametrize("path", ["/reset", "/step"])
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", None])
def test_a_wrong_content_type_is_named(begun, path, kind):
    headers = {"content-type": kind} if kind else {}
    problem = is_problem(begun.post(path, content=b'{"action": "wait"}', headers=headers), 415)
    assert "application/json" in problem["detail"] and (kind or "none") in problem["detail"]


def test_a_huge_body_is_refused(begun):
    assert begun.post("/reset", content=b" " * 100_000 + b"{}", headers=JSON).status_code == 413


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/reset", 405),
        ("PUT", "/step", 405),
        ("GET", "/state?session_id=nobody", 404),
        ("GET", "/grader?session_id=nobody", 404),
        ("DELETE", "/sessions/nobody", 404),
        ("GET", "/sre-autopilot/splits", 404),
    ],
)
def test_a_missing_route_or_session_is_a_problem(begun, method, path, status):
    is_problem(begun.request(method, path), status)


def test_a_step_in_an_unknown_session(begun):
    problem = is_problem(begun.post("/step", json={**WAIT, "session_id": "nobody"}), 404)
    assert "reset" in problem["detail"]


def test_a_step_before_reset(client):
    problem = is_problem(client.post("/step", json=WAIT), 409)
    assert "reset" in problem["detail"]
    is_problem(client.get("/grader"), 409)
    assert client.get("/state").json()["episode_id"] is None
    assert sessions_in_use(client) == 0


def test_a_step_after_done(client):
    client.post("/reset", json={"seed": 1})
    while not (last := client.post("/step", json=WAIT).json())["done"]:
        pass
    problem = is_problem(client.post("/step", json=WAIT), 409)
    assert "reset" in problem["detail"] and str(MAX_STEPS) in problem["detail"]
    assert client.get("/grader").json()["score"] == pytest.approx(last["reward"], abs=1e-4)
    assert client.post("/reset").status_code == 200


def test_a_refused_action_is_an_answer_and_uses_a_step(client):
    client.post("/reset", json={"seed": 1})
    entry = {"action": ActionName.CIRCUIT_BREAK, "service_id": Service.API_GATEWAY}
    observation = client.post("/step", json=entry).json()["observation"]
    assert observation["step"] == 1 and observation["last_action_error"]


WRONG_MESSAGES = (
    ("nope", "INVALID_JSON"),
    ("[]", "UNKNOWN_TYPE"),
    ('"reset"', "UNKNOWN_TYPE"),
    ("[" * 5000, "UNKNOWN_TYPE"),
    ('{"type": "\\ud800"}', "UNKNOWN_TYPE"),
    ('{"type": "dance"}', "UNKNOWN_TYPE"),
    ("{}", "UNKNOWN_TYPE"),
    ('{"type": "reset", "data": 5}', "VALIDATION_ERROR"),
    ('{"type": "step"}', "VALIDATION_ERROR"),
    ('{"type": "step", "data": {"action": "reboot"}}', "VALIDATION_ERROR"),
    ('{"type": "step", "data": {"action": "wait", "force": 1}}', "VALIDATION_ERROR"),
    ('{"type": "step", "data": {"action": "wait", "service_id": NaN}}', "VALIDATION_ERROR"),
    ('{"type": "step", "data": {"action": "restart"}}', "VALIDATION_ERROR"),
    ('{"type": "reset", "data": {"task_tier": "brutal"}}', "EXECUTION_ERROR"),
    ('{"type": "reset", "data": {"tier": "easy"}}', "EXECUTION_ERROR"),
    ('{"type": "reset", "data": {"seed": true}}', "EXECUTION_ERROR"),
    ('{"type": "reset", "data": {"policy": 5}}', "EXECUTION_ERROR"),
    ('{"type": "reset", "data": {"backend": [5]}}', "EXECUTION_ERROR"),
    ('{"type": "reset", "data": {"episode_id": "/"}}', "EXECUTION_ERROR"),
)


def test_a_socket_survives_every_wrong_message(client, kept_server):
    with client.websocket_connect("/ws") as socket:
        socket.send_json({"type": "step", "data": WAIT})
        assert "reset" in socket.receive_json()["data"]["message"]
        socket.send_json({"type": "reset", "data": {"seed": 1}})
        assert socket.receive_json()["type"] == "observation"
        for step, (message, code) in enumerate(WRONG_MESSAGES, start=1):
            socket.send_text(message)
            reply = socket.receive_json()
            assert (reply["type"], reply["data"]["code"]) == ("error", code), (message, reply)
            socket.send_json({"type": "step", "data": WAIT})
            assert socket.receive_json()["data"]["observation"]["step"] == step
        socket.send_bytes(b"\x00\xff")
        assert socket.receive_json()["data"]["code"] == "UNKNOWN_TYPE"
        socket.send_json({"type": "state"})
        assert socket.receive_json()["data"]["step_count"] == len(WRONG_MESSAGES)
    assert sessions_in_use(client) == 0
    until(lambda: not kept_server[1].running)


def test_an_error_over_a_socket_lists_the_valid_names(client):
    with client.websocket_connect("/ws") as socket:
        for kind, data, valid in (
            ("step", {"action": "reboot"}, ActionName),
            ("step", {"action": "restart", "service_id": "users"}, Service),
            ("reset", {"task_tier": "brutal"}, Tier),
            ("reset", {"tier": "easy"}, ("task_tier", "seed", "episode_id")),
        ):
            socket.send_json({"type": kind, "data": data})
            text = json.dumps(socket.receive_json()["data"])
            assert all(name in text for name in valid), text


@pytest.mark.parametrize(
    "action",
    [
        {"action": "reboot", "service_id": "user_db"},
        {"action": "restart", "service_id": "users"},
        {"action": "restart"},
        {"service_id": "user_db"},
    ],
)
def test_a_bad_action_has_one_wording_whichever_way_it_comes(client, action):
    with pytest.raises((UnknownName, InvalidAction)) as parsed:
        SREAction.parse(action)
    text = str(parsed.value)
    with pytest.raises(ValidationError, match=re.escape(text)):
        SREAction.model_validate(action)
    client.post("/reset")
    assert client.post("/step", json=action).json()["detail"] == text
    with client.websocket_connect("/ws") as socket:
        socket.send_json({"type": "reset", "data": {}})
        socket.receive_json()
        socket.send_json({"type": "step", "data": action})
        assert socket.receive_json()["data"]["message"] == text
    with pytest.raises(ValueError, match=re.escape(text)):
        parse_answer(json.dumps(action))
