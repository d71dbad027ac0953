"""Sessions over HTTP against a scripted server: waiting for a place, and every way to lose one."""

import asyncio
import json
from functools import cache
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from sre_autopilot.adapters import connection
from sre_autopilot.adapters.connection import InProcess, Served, connect
from sre_autopilot.adapters.tasks import Task
from sre_autopilot.models import SREAction
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, Tier

TASK = Task(Tier.HARD, 17)
WAIT = SREAction(action=ActionName.WAIT)
URL = "http://scripted"


@cache
def observation() -> dict[str, Any]:
    """A whole one, as a server sends it: reward and done beside it."""

    async def first_window() -> dict[str, Any]:
        here = InProcess()
        window = await here.reset(TASK)
        await here.close()
        return window.model_dump(mode="json", exclude={"reward", "done"})

    return asyncio.run(first_window())


class Server:
    """Answers in turn what it was told to, and remembers what came."""

    def __init__(self, *answers):
        self.answers, self.requests = list(answers), []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, headers, body = answer
        return httpx.Response(status, headers=headers, json=body)

    def bodies(self):
        return [json.loads(request.content) for request in self.requests if request.content]


@pytest.fixture
def served(monkeypatch):
    """Makes a connection to a scripted server; it sleeps for no time and remembers how long."""
    slept = []
    observation()  # before the clock stands still

    async def sleep(pause_s):
        slept.append(pause_s)

    def make(server: Server) -> Served:
        made = Served(URL)
        made._http = httpx.AsyncClient(base_url=URL, transport=httpx.MockTransport(server))
        return made

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return SimpleNamespace(make=make, slept=slept)


def reply(session="named", reward=0.0, done=False):
    body = {"observation": observation(), "reward": reward, "done": done, "session_id": session}
    return 200, {}, body


def test_without_an_address_the_simulator_plays():
    assert isinstance(connect(), InProcess)
    assert isinstance(connect("http://127.0.0.1:1"), Served)


def test_a_reset_waits_as_long_as_a_full_server_says(served):
    server = Server((503, {"retry-after": "2"}, {}), (429, {"retry-after": "1"}, {}), reply())
    there = served.make(server)
    window = asyncio.run(there.reset(TASK))
    assert window.step == 0 and not window.done
    assert served.slept == [2.0, 1.0]
    assert {body["seed"] for body in server.bodies()} == {TASK.seed}
    assert {body["task_tier"] for body in server.bodies()} == {TASK.tier}


def test_a_reset_gives_up_where_no_session_becomes_free_in_time(served, monkeypatch):
    monkeypatch.setattr(connection, "RESET_PATIENCE_S", 1.0)
    server = Server((503, {"retry-after": "5"}, {"detail": "all sessions are in use"}))
    with pytest.raises(ConnectionError, match=r"HTTP 503 .*all sessions are in use"):
        asyncio.run(served.make(server).reset(TASK))
    assert served.slept == []


def test_the_name_that_a_judged_server_draws_is_used_from_then_on(served):
    server = Server(reply("drawn"), reply("drawn", 0.5, done=True), (204, {}, None))
    there = served.make(server)

    async def play():
        await there.reset(TASK)
        last = await there.step(SREAction(action=ActionName.RESTART, service_id=Service.USER_DB))
        await there.close()
        await there.close()
        return last

    last = asyncio.run(play())
    assert last.done and last.reward == 0.5
    first, second = server.bodies()
    assert first["session_id"].startswith("rollout-") and second["session_id"] == "drawn"
    assert server.requests[-1].url.path == "/sessions/drawn" and len(server.requests) == 3


def test_two_connections_have_two_sessions(served):
    servers = [Server(reply()), Server(reply())]
    for server in servers:
        asyncio.run(served.make(server).reset(TASK))
    names = {body["session_id"] for server in servers for body in server.bodies()}
    assert len(names) == 2


def test_the_terms_are_those_of_the_grader(served):
    terms = {"sla": 0.9, "speed": 0.8, "budget": 0.7, "root_cause": 1.0}
    server = Server((200, {}, {"score": 0.9, "terms": terms, "resolved": True}))
    assert asyncio.run(served.make(server).terms()) == terms | {"cured": 1.0}
    assert server.requests[0].url.params["session_id"].startswith("rollout-")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((503, {}, {"error": "episode_abandoned"}), "HTTP 503 .*episode_abandoned"),
        ((404, {}, {"error": "lease_ended"}), "HTTP 404 .*lease_ended"),
        (httpx.ReadTimeout("slow"), "scripted/step: ReadTimeout slow"),
        (httpx.ConnectError("gone"), "scripted/step: ConnectError gone"),
    ],
)
def test_an_episode_that_is_lost_says_where_and_why(served, answer, words):
    with pytest.raises(ConnectionError, match=words):
        asyncio.run(served.make(Server(answer)).step(WAIT))


def test_closing_asks_nothing_of_a_server_that_is_gone(served):
    there = served.make(Server(httpx.ConnectError("gone")))
    asyncio.run(there.close())
    assert there._http.is_closed
