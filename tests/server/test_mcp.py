"""MCP: the actions as tools, over POST with a session's name, and over a socket of its own."""

import json
import re
import threading

import pytest
from fastapi.testclient import TestClient

from orchestrator.actions import ACTIONS
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import MAX_STEPS, ActionName, Tier
from tests.server.doors import WAIT, Workshop, make_app, sessions_in_use, until, until_async
from tests.watched_simulator import WatchedSimulator

HEADERS = {"content-type": "application/json"}
INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL, PARSE = (
    *(-32600, -32601, -32602, -32603),
    -32700,
)


@pytest.fixture
def client(kept_client):
    return kept_client


@pytest.fixture
def workshop(kept_server):
    return kept_server[1]


def message(method, **params):
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}


@pytest.fixture(params=["post", "socket"])
def rpc(request, client):
    """Answers a message; over POST in a session, over a socket without naming one."""
    if request.param == "socket":
        with client.websocket_connect("/mcp") as socket:

            def ask(method, **params):
                socket.send_json(message(method, **params))
                return socket.receive_json()

            yield ask
    else:
        created = client.post("/mcp", json=message("openenv/session/create")).json()
        session = created["result"]["session_id"]

        def ask(method, **params):
            answer = client.post("/mcp", json=message(method, session_id=session, **params))
            assert answer.status_code == 200
            return answer.json()

        yield ask
        closed = client.post("/mcp", json=message("openenv/session/close", session_id=session))
        assert closed.json()["result"]["closed"] is True


@pytest.fixture
def call(rpc):
    def call(tool, **arguments):
        return rpc("tools/call", name=tool, arguments=arguments)

    return call


def test_every_action_is_a_tool(rpc):
    tools = {tool["name"]: tool for tool in rpc("tools/list")["result"]["tools"]}
    assert tools.keys() == {*ActionName, "begin_episode", "observe"}
    for name in ActionName:
        schema = json.dumps(tools[name]["inputSchema"])
        assert tools[name]["description"].split() == ACTIONS[name].description.split()
        assert all(service in schema for service in Service) is (name is not ActionName.WAIT)


def test_an_episode_is_played_by_tools(call, client, workshop):
    begun = call("begin_episode", task_tier=Tier.MEDIUM, seed=1)["result"]
    assert (begun["done"], begun["reward"], begun["observation"]["step"]) == (False, 0.0, 0)
    assert call("observe")["result"] == begun
    answers = [call(ActionName.RESTART, service_id=Service.USER_DB)["result"]]
    while not answers[-1]["done"]:
        assert answers[-1]["reward"] == 0.0
        answers.append(call(ActionName.WAIT)["result"])
    assert len(answers) == MAX_STEPS and 0.0 < answers[-1]["reward"] < 1.0
    assert call("observe")["result"] == answers[-1]
    assert "call reset" in call(ActionName.WAIT)["error"]["message"]
    assert call("begin_episode")["result"]["observation"]["step"] == 0


@pytest.mark.parametrize(
    ("tool", "arguments", "names"),
    [
        (ActionName.RESTART, {"service_id": "users"}, list(Service)),
        (ActionName.RESTART, {}, ["service_id: is missing", *Service]),
        (ActionName.RESTART, {"service": "user_db"}, ["unknown field 'service'", "service_id"]),
        (ActionName.WAIT, {"service_id": "user_db"}, ["service_id", "wait takes no arguments"]),
        ("begin_episode", {"tier": "easy"}, ["unknown field 'tier'", "task_tier", "seed"]),
        ("observe", {"step": 3}, ["step", "observe takes no arguments"]),
        ("begin_episode", {"task_tier": "brutal"}, list(Tier)),
        ("begin_episode", {"seed": -1}, ["seed"]),
        ("begin_episode", {"seed": [1]}, ["seed"]),
    ],
)
def test_wrong_arguments_are_named_and_use_no_step(call, tool, arguments, names):
    call("begin_episode", seed=1)
    error = call(tool, **arguments)["error"]
    assert error["code"] == INTERNAL
    assert all(name in error["message"] for name in names), error
    assert not re.search(r"locals|\(\)|pydantic|positional|validation error", error["message"])
    assert call(ActionName.WAIT)["result"]["observation"]["step"] == 1


def test_wrong_messages_are_refused(rpc):
    assert rpc("tools/call", name="reboot")["error"]["code"] == INVALID_PARAMS
    assert rpc("tools/call")["error"]["code"] == INVALID_PARAMS
    assert rpc("tools/call", name=["wait"])["error"]["code"] == INVALID_PARAMS
    listed = rpc("tools/call", name=ActionName.WAIT, arguments=[1])["error"]
    assert listed["code"] == INVALID_PARAMS and "arguments must be an object" in listed["message"]
    assert rpc("resources/list")["error"]["code"] == METHOD_NOT_FOUND


WRONG = (
    ("nope", PARSE),
    ("[]", INVALID_REQUEST),
    ("5", INVALID_REQUEST),
    ("{}", INVALID_REQUEST),
    ("[" * 5000, INVALID_REQUEST),
    ('{"jsonrpc": "2.0", "method": "\\ud800", "id": "\\ud800"}', INVALID_REQUEST),
    ('{"jsonrpc": "2.0", "method": "tools/list", "params": {"session_id": [1]}}', INVALID_REQUEST),
    ('{"jsonrpc": "2.0", "method": "tools/list", "params": {"session_id": {}}}', INVALID_REQUEST),
    ('{"jsonrpc": "2.0", "method": "tools/list", "id": NaN}', INVALID_REQUEST),
)


@pytest.mark.parametrize(("content", "code"), WRONG)
def test_a_post_that_makes_no_sense(client, content, code):
    answer = client.post("/mcp", content=content, headers=HEADERS)
    assert answer.status_code == 200
    assert answer.json()["error"]["code"] == code


def test_a_socket_survives_what_makes_no_sense(client, workshop):
    with client.websocket_connect("/mcp") as socket:
        socket.send_json(message("tools/call", name="begin_episode", arguments={"seed": 1}))
        assert "result" in socket.receive_json()
        for step, (content, code) in enumerate(WRONG, start=1):
            socket.send_text(content)
            assert socket.receive_json()["error"]["code"] == code
            socket.send_json(message("tools/call", name=ActionName.WAIT))
            assert socket.receive_json()["result"]["observation"]["step"] == step
    until(lambda: not workshop.running)
    assert sessions_in_use(client) == 0


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"jsonrpc": None}, "jsonrpc must be '2.0'"),
        ({"method": 5}, "method must be text"),
        ({"params": [1]}, "params must be an object"),
        ({"id": 1.5}, "id must be text or a whole number"),
        ({"extra": 1}, "unknown field 'extra'; valid values: jsonrpc, method, params, id"),
    ],
)
def test_a_wrong_call_is_refused_in_the_words_of_http(client, change, text):
    wrong = message("tools/list") | change
    posted = client.post("/mcp", json=wrong).json()
    with client.websocket_connect("/mcp") as socket:
        socket.send_json(wrong)
        assert socket.receive_json() == posted
    with client.websocket_connect("/ws") as socket:
        socket.send_json({"type": "mcp", "data": wrong})
        assert socket.receive_json() == {"type": "mcp", "data": posted}
    assert posted["error"]["code"] == INVALID_REQUEST and text in posted["error"]["message"]


def test_observing_in_mid_reset_says_that_a_call_runs():
    with TestClient(make_app(Workshop(SlowStart))) as client:
        resetting = threading.Thread(target=client.post, args=("/reset",))
        resetting.start()
        until(SlowStart.begun.is_set)
        observe = message("tools/call", name="observe", session_id="default")
        answer = client.post("/mcp", json=observe).json()
        assert client.get("/state").status_code == 200
        SlowStart.open.set()
        resetting.join()
        assert "result" in client.post("/mcp", json=observe).json()
    assert "another call is running" in answer["error"]["message"]


class SlowStart(WatchedSimulator):
    """Measures nothing before `open` is set."""

    begun, open = threading.Event(), threading.Event()

    async def observe(self, step, open_breakers=()):
        self.begun.set()
        await until_async(self.open.is_set)
        return await super().observe(step, open_breakers)


def test_tools_play_in_sessions_only(client):
    for name in ("begin_episode", ActionName.WAIT):
        answer = client.post("/mcp", json=message("tools/call", name=name)).json()
        assert "openenv/session/create" in answer["error"]["message"]
    unknown = client.post("/mcp", json=message("tools/list", session_id="nobody")).json()
    assert unknown["error"]["code"] == INVALID_PARAMS and "nobody" in unknown["error"]["message"]
    assert sessions_in_use(client) == 0


def test_tools_and_http_play_the_same_session(client):
    client.post("/reset", json={"seed": 1})
    wait = message("tools/call", name=ActionName.WAIT, session_id="default")
    assert client.post("/mcp", json=wait).json()["result"]["observation"]["step"] == 1
    assert client.post("/step", json=WAIT).json()["observation"]["step"] == 2
    with client.websocket_connect("/ws?session_id=default") as socket:
        socket.send_json({"type": "step", "data": WAIT})
        assert socket.receive_json()["data"]["observation"]["step"] == 3
    assert client.post("/step", json=WAIT).json()["observation"]["step"] == 4
