"""Watching: whoever may sees every step of a session as its agent does, and changes nothing."""

import asyncio
import base64
import json
import time
from contextlib import suppress

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close

from server.watching import MOST_WATCHERS, PROTOCOL, TOKEN_PREFIX, Watchers
from sre_autopilot.world.close_codes import CloseCode
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, Tier
from tests.server.doors import LEASE_S, PATIENCE_S, WAIT, make_app, on_a_port
from tests.watched_simulator import WatchedSimulator

pytestmark = pytest.mark.anyio
TOKEN = "open/sesame=="
RESTART = {"action": ActionName.RESTART, "service_id": Service.USER_DB}


@pytest.fixture
def app(workshop, leases):
    return make_app(workshop, session_lease_s=LEASE_S)


def watching(url, session_id="default", **options):
    return connect(url.replace("http", "ws") + f"/watch/{session_id}", **options)


async def message(socket):
    return json.loads(await socket.recv())


async def close_code(socket):
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            await socket.recv()
    return closed.value.rcvd and closed.value.rcvd.code


async def test_a_watcher_gets_what_the_agent_got_from_the_first_step_on(url, http):
    reset = {"task_tier": Tier.EASY, "seed": 3, "policy": "me", "episode_id": "first"}
    answers = [(await http.post("/reset", json=reset)).json()]
    answers.append((await http.post("/step", json=RESTART)).json())
    async with watching(url) as socket:
        assert await message(socket) == {
            "type": "episode",
            "data": {
                "session_id": "default",
                "episode_id": "first",
                "backend": WatchedSimulator.name,
                "policy": "me",
            },
        }
        steps = [(await message(socket))["data"] for _ in answers]
        while not answers[-1]["done"]:
            answers.append((await http.post("/step", json=WAIT)).json())
            steps.append((await message(socket))["data"])
        assert [step["action"] for step in steps[:3]] == [
            None,
            RESTART,
            WAIT | {"service_id": None},
        ]
        for step, answer in zip(steps, answers, strict=True):
            assert {**step, "session_id": "default"} == {**answer, "action": step["action"]}
        await http.post("/reset", json={**reset, "episode_id": "second"})
        assert (await message(socket))["data"]["episode_id"] == "second"
        assert (await message(socket))["data"]["action"] is None


async def test_a_pace_holds_steps_back(url, http):
    await http.post("/reset")
    pace_s, began = 0.5, time.monotonic()
    async with watching(url, f"default?pace_s={pace_s}") as socket:
        first = [(await message(socket))["type"] for _ in ("episode", "step")]
        for _ in range(3):
            await http.post("/step", json=WAIT)
        steps = [(await message(socket))["data"]["observation"]["step"]]
        assert time.monotonic() - began >= pace_s
        steps += [(await message(socket))["data"]["observation"]["step"] for _ in range(2)]
    assert (first, steps) == (["episode", "step"], [1, 2, 3])


async def test_no_pace_holds_the_end_of_an_episode_or_of_a_session_back(url, http):
    await http.post("/reset", json={"task_tier": Tier.EASY, "seed": 3})
    async with asyncio.timeout(PATIENCE_S), watching(url, "default?pace_s=60") as socket:
        assert [(await message(socket))["type"] for _ in range(2)] == ["episode", "step"]
        await http.post("/step", json=WAIT)
        await http.post("/reset", json={"task_tier": Tier.EASY, "seed": 4})
        rest = [await message(socket) for _ in range(3)]
        assert [each["type"] for each in rest] == ["step", "episode", "step"]
        done = False
        while not done:
            done = (await http.post("/step", json=WAIT)).json()["done"]
        steps = [(await message(socket))["data"]]
        while not steps[-1]["done"]:
            steps.append((await message(socket))["data"])
        assert [step["observation"]["step"] for step in steps] == [*range(1, len(steps) + 1)]
        await http.delete("/sessions/default")
        assert await close_code(socket) == CloseCode.SESSION_ENDED


async def test_watchers_that_go_within_their_pace_leave_room_for_others(url, http):
    await http.post("/reset")
    for _ in range(MOST_WATCHERS):
        async with watching(url, "default?pace_s=60") as socket:
            await message(socket)
    async with asyncio.timeout(PATIENCE_S):
        while True:
            async with watching(url) as socket:
                with suppress(ConnectionClosed):
                    assert (await message(socket))["type"] == "episode"
                    break


@pytest.mark.parametrize("pace_s", ["soon", "-1", "61", "nan", ""])
async def test_a_pace_that_is_none_is_refused_with_the_valid_ones(url, http, pace_s):
    await http.post("/reset")
    async with watching(url, f"default?pace_s={pace_s}") as socket:
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    reason = "pace_s must be a number of seconds from 0 to 60"
    assert closed.value.rcvd == Close(CloseCode.INVALID_VALUE, reason)


async def test_watching_is_no_call_and_the_end_of_a_lease_closes_it(url, http, leases):
    await http.post("/reset")
    async with watching(url) as socket:
        assert (await message(socket))["type"] == "episode"
        leases.passes(1.1)
        assert await close_code(socket) == CloseCode.LEASE_ENDED
    assert (await http.get("/sessions")).json() == {"sessions": []}


async def test_a_session_that_is_deleted_closes_its_watchers(url, http):
    await http.post("/reset")
    async with watching(url) as socket, watching(url) as another:
        await socket.send(json.dumps({"type": "step", "data": RESTART}))
        (session,) = (await http.get("/sessions")).json()["sessions"]
        assert (session["session_id"], session["step_count"]) == ("default", 0)
        await http.delete("/sessions/default")
        for each in (socket, another):
            assert await close_code(each) == CloseCode.SESSION_ENDED


async def test_a_session_that_is_not_there_cannot_be_watched(url):
    async with watching(url, "nobody") as socket:
        assert await close_code(socket) == CloseCode.UNKNOWN_SESSION


@pytest.mark.parametrize(
    ("options", "is_let_in"),
    [
        ({}, False),
        ({"additional_headers": {"Authorization": "Bearer wrong"}}, False),
        ({"subprotocols": [PROTOCOL, TOKEN_PREFIX + "!"]}, False),
        ({"additional_headers": {"Authorization": f"Bearer {TOKEN}"}}, True),
        (
            {
                "subprotocols": [
                    PROTOCOL,
                    TOKEN_PREFIX + base64.urlsafe_b64encode(TOKEN.encode()).decode().rstrip("="),
                ]
            },
            True,
        ),
    ],
)
async def test_where_there_is_a_token_watching_needs_it(workshop, options, is_let_in):
    with on_a_port(make_app(workshop, state_token=TOKEN)) as url:
        async with httpx.AsyncClient(base_url=url) as http, watching(url, **options) as socket:
            assert (await http.get("/sessions")).status_code == 401
            code = CloseCode.UNKNOWN_SESSION if is_let_in else CloseCode.NO_TOKEN
            assert await close_code(socket) == code


async def test_watchers_of_a_full_server_are_sent_away(workshop, monkeypatch):
    monkeypatch.setattr(Watchers.__init__, "__defaults__", (1,))
    with on_a_port(make_app(workshop)) as url:
        async with httpx.AsyncClient(base_url=url) as http:
            await http.post("/reset")
            async with watching(url) as socket:
                await message(socket)
                async with watching(url) as late:
                    assert await close_code(late) == CloseCode.TRY_AGAIN_LATER
            async with asyncio.timeout(PATIENCE_S):
                while True:  # the server learns of the first one's end in its own time
                    async with watching(url) as again:
                        with suppress(ConnectionClosed):
                            assert (await message(again))["type"] == "episode"
                            return
