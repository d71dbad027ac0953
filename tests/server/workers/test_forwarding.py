"""Two workers in one process: whichever a client reaches, its session is found where it lives."""

import json
import os
import socket
from contextlib import ExitStack
from itertools import count

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from server.watching import PROTOCOL
from server.workers.place import CLIENT_HEADER, METRICS_PATH, TOKEN_HEADER, Place
from server.workers.shared_memory import SharedMemory
from sre_autopilot.world.close_codes import CloseCode
from tests.server.doors import (
    CALL_TIMEOUT_S,
    WAIT,
    Workshop,
    make_app,
    on_a_port,
    without_preparation,
)

SESSIONS = 3
TOOLS = {"accept": "application/json, text/event-stream"}
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-03-26",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


@pytest.fixture(scope="module")
def places():
    memory = SharedMemory.create(SESSIONS)
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = tuple(listener.getsockname()[1] for listener in listeners)
    places = [Place(number, ports, memory) for number in range(2)]
    with without_preparation(), ExitStack() as servers:
        for place, listener in zip(places, listeners, strict=True):
            app = make_app(Workshop(), place=place, resets_per_minute=4000)
            servers.enter_context(on_a_port(app, listener))
        yield places
    os.close(memory.fd)


@pytest.fixture
def workers(places):
    """Clients of both; no session outlives the test."""
    with ExitStack() as clients:
        made = [
            clients.enter_context(httpx.Client(base_url=place.url(n), timeout=CALL_TIMEOUT_S))
            for n, place in enumerate(places)
        ]
        yield made
        memory = places[0].memory
        for name in [name for name in NAMES if memory.owner(name) is not None]:
            made[0].delete(f"/sessions/{name}").raise_for_status()


NAMES: list[str] = []


def name_at(places, worker):
    """A new name whose home is this worker."""
    names = (f"name-{len(NAMES)}-{number}" for number in count())
    NAMES.append(next(name for name in names if places[0].home(name) == worker))
    return NAMES[-1]


@pytest.mark.parametrize("home", [0, 1])
def test_a_session_is_the_same_at_every_worker(places, workers, home):
    name = name_at(places, home)
    begun = workers[0].post("/reset", json={"session_id": name, "seed": 1})
    assert begun.status_code == 200 and begun.json()["session_id"] == name
    assert places[0].memory.owner(name) == home
    for step, worker in enumerate((*workers, *workers), start=1):
        answer = worker.post("/step", json={"session_id": name, **WAIT})
        assert answer.status_code == 200
        state = worker.get("/state", params={"session_id": name}).json()
        assert state["step_count"] == step
        assert worker.get("/grader", params={"session_id": name}).status_code == 409
    assert workers[1 - home].delete(f"/sessions/{name}").status_code == 204
    assert workers[home].get("/state", params={"session_id": name}).status_code == 404


def test_the_default_session_is_one(workers):
    NAMES.append("default")
    assert workers[0].post("/reset").status_code == workers[1].post("/step", json=WAIT).status_code


def test_all_sessions_are_listed_by_every_worker_and_watched_from_there(places, workers):
    names = [name_at(places, home) for home in (1, 0)]
    for name in names:
        workers[0].post("/reset", json={"session_id": name, "seed": 3}).raise_for_status()
        assert workers[1].get("/pager", params={"session_id": name}).json()["step"] == 0
    lists = [worker.get("/sessions").json()["sessions"] for worker in workers]
    assert lists[0] == lists[1] and [row["session_id"] for row in lists[0]] == sorted(names)
    url = f"{places[0].url(0)}/watch/{names[0]}".replace("http", "ws", 1)
    with connect(url, proxy=None, subprotocols=[Subprotocol(PROTOCOL)]) as watcher:
        assert watcher.subprotocol == PROTOCOL
        assert json.loads(watcher.recv())["data"]["session_id"] == names[0]
    # What is asked for in the query goes with the call, also where it is refused.
    with (
        connect(f"{url}?pace_s=61", proxy=None, subprotocols=[Subprotocol(PROTOCOL)]) as watcher,
        pytest.raises(ConnectionClosed) as closed,
    ):
        watcher.recv()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == CloseCode.INVALID_VALUE


def test_errors_pass_unchanged(places, workers):
    name = name_at(places, 1)
    answers = [worker.post("/step", json={"session_id": name, **WAIT}) for worker in workers]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].json() == answers[1].json()
    hops = [sorted(answer.headers) for answer in answers]
    assert hops[0] == hops[1] and len(answers[0].headers.get_list("date")) == 1
    for body in (b"{", b"[1]", b'{"session_id": 7}', b"x" * 70_000):
        headers = {"content-type": "application/json"}
        answer = workers[0].post("/step", content=body, headers=headers)
        assert 400 <= answer.status_code < 500


def test_the_cap_is_of_all_workers_and_everyone_says_so(places, workers):
    for number in range(SESSIONS):
        name = name_at(places, number % 2)
        assert workers[0].post("/reset", json={"session_id": name}).status_code == 200
    more = {"session_id": name_at(places, 1)}
    answer = workers[0].post("/reset", json=more)
    assert answer.status_code == 503 and f"{SESSIONS} of {SESSIONS}" in answer.json()["detail"]
    for worker in workers:
        full = worker.get("/ready").json()
        assert (full["status"], full["sessions"]) == ("full", SESSIONS)


def test_lost_sessions_say_what_became_of_them(places, workers):
    name = name_at(places, 1)
    memory = places[0].memory
    memory.take(5, name)
    memory.lose(5)
    answer = workers[0].post("/step", json={"session_id": name, **WAIT})
    assert answer.status_code == 404 and answer.json()["error"] == "session_lost"
    socket_url = f"{places[0].url(0)}/ws?session_id={name}".replace("http", "ws", 1)
    with connect(socket_url, proxy=None) as client, pytest.raises(ConnectionClosed):
        client.send(json.dumps({"type": "state"}))
        client.recv()
        client.recv()
    assert client.close_code in (4005, 1000)
    assert workers[0].post("/reset", json={"session_id": name}).status_code == 200


def test_sessions_of_mcp_clients_stay_where_they_began(places, workers):
    begun = workers[1].post("/mcp", json=HELLO, headers=TOOLS)
    session = begun.headers["mcp-session-id"]
    assert session.endswith(".1")
    ask = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
    headers = {**TOOLS, "mcp-session-id": session}
    answers = [worker.post("/mcp", json=ask, headers=headers) for worker in workers]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert "restart" in answers[0].text
    unknown = {**TOOLS, "mcp-session-id": "none.7"}
    assert workers[0].post("/mcp", json=ask, headers=unknown).status_code == 404


def test_sessions_of_json_rpc_are_found_from_every_worker(places, workers):
    create = {"jsonrpc": "2.0", "id": 1, "method": "openenv/session/create"}
    name = workers[1].post("/mcp", json=create).json()["result"]["session_id"]
    NAMES.append(name)
    ask = {"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {"session_id": name}}
    assert all("result" in worker.post("/mcp", json=ask).json() for worker in workers)


def test_nobody_passes_as_a_worker_without_the_token(places, workers):
    name = name_at(places, 1)
    marks = {TOKEN_HEADER: "0" * 64, CLIENT_HEADER: "10.0.0.1"}
    assert workers[0].get(METRICS_PATH, headers=marks).status_code == 404
    begun = workers[0].post("/reset", json={"session_id": name}, headers=marks)
    assert begun.status_code == 200 and places[0].memory.owner(name) == 1
    marks[TOKEN_HEADER] = places[0].memory.token.hex()
    page = workers[0].get(METRICS_PATH, headers=marks)
    assert page.status_code == 200 and "sre_episodes_total" in page.text
