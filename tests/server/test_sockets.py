"""Open sockets and leases: an open socket is a call, and a close code says why one was closed."""

import asyncio
import json

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from sre_autopilot.world.close_codes import CloseCode
from tests.server.doors import LEASE_S, PATIENCE_S, POLL_S, WAIT, make_app, on_a_port, until_async

pytestmark = pytest.mark.anyio


@pytest.fixture
def app(workshop, leases):
    return make_app(workshop, session_lease_s=LEASE_S)


@pytest.fixture
def ws(url):
    return url.replace("http", "ws") + "/ws"


async def ask(socket, kind, **data):
    await socket.send(json.dumps({"type": kind} | ({"data": data} if data else {})))
    return json.loads(await socket.recv())


@pytest.fixture
def until_one_is_over(http, leases):
    """Lets time pass, without a call in any session, until one is gone."""

    async def until_one_is_over():
        sessions = (await http.get("/ready")).json()["sessions"]
        async with asyncio.timeout(PATIENCE_S):
            while (await http.get("/ready")).json()["sessions"] == sessions:
                leases.passes(0.3)
                await asyncio.sleep(POLL_S)

    return until_one_is_over


async def close_of(socket):
    """Code and reason with which the server closes a socket; what it says before is left out."""
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            await socket.recv()
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


async def test_a_socket_that_thinks_keeps_its_session(ws, http, workshop, until_one_is_over):
    async with connect(ws) as socket:
        await ask(socket, "reset", seed=1)
        await http.post("/reset", json={"session_id": "idle"})
        await until_one_is_over()
        await until_async(lambda: len(workshop.running) == 1)
        assert (await ask(socket, "step", **WAIT))["data"]["observation"]["step"] == 1


async def test_a_session_that_a_socket_had_joined_ends_with_its_lease(
    ws, http, workshop, until_one_is_over
):
    await http.post("/reset", json={"session_id": "shared", "seed": 1})
    async with connect(f"{ws}?session_id=shared") as socket:
        await http.post("/reset", json={"session_id": "idle"})
        await until_one_is_over()
        assert (await ask(socket, "step", **WAIT))["data"]["observation"]["step"] == 1
    await until_one_is_over()
    await until_async(lambda: not workshop.running)


async def test_the_end_of_a_session_closes_its_socket_with_a_code(ws, http):
    await http.post("/reset", json={"session_id": "shared", "seed": 1})
    async with connect(f"{ws}?session_id=shared") as socket:
        assert (await ask(socket, "state"))["data"]["step_count"] == 0
        assert (await http.delete("/sessions/shared")).status_code == 204
        code, reason = await close_of(socket)
    assert code == CloseCode.SESSION_ENDED and "ended" in reason


async def test_a_second_socket_of_a_session_does_not_take_it_over(ws, http, until_one_is_over):
    await http.post("/reset", json={"session_id": "shared", "seed": 1})
    async with connect(f"{ws}?session_id=shared") as first:
        assert (await ask(first, "state"))["data"]["step_count"] == 0
        async with connect(f"{ws}?session_id=shared") as second:
            assert (await close_of(second))[0] == 1000
        await http.post("/reset", json={"session_id": "idle"})
        await until_one_is_over()
        assert (await ask(first, "step", **WAIT))["data"]["observation"]["step"] == 1


async def test_a_lease_that_ended_says_so_and_an_unknown_session_too(ws, http, until_one_is_over):
    await http.post("/reset", json={"session_id": "late"})
    await until_one_is_over()
    answer = await http.post("/step", json={**WAIT, "session_id": "late"})
    assert answer.status_code == 404 and answer.json()["error"] == "lease_ended"
    assert f"{LEASE_S:g} s" in answer.json()["detail"]
    async with connect(f"{ws}?session_id=late") as socket:
        code, reason = await close_of(socket)
    assert code == CloseCode.LEASE_ENDED and f"{LEASE_S:g} s" in reason
    async with connect(f"{ws}?session_id=nobody") as socket:
        assert (await close_of(socket))[0] == CloseCode.UNKNOWN_SESSION
    assert (await http.post("/reset", json={"session_id": "late"})).status_code == 200
    assert (await http.delete("/sessions/late")).status_code == 204
    gone = await http.post("/step", json={**WAIT, "session_id": "late"})
    assert gone.json()["error"] == "unknown_session"


@pytest.mark.parametrize("path", ["/ws", "/mcp"])
async def test_a_socket_without_room_is_asked_to_try_again(url, http, path):
    for name in ("a", "b"):
        await http.post("/reset", json={"session_id": name})
    async with connect(url.replace("http", "ws") + path) as socket:
        code, reason = await close_of(socket)
    assert code == CloseCode.TRY_AGAIN_LATER and "capacity" in reason


async def test_the_end_of_the_server_closes_sockets_with_a_code(workshop):
    with on_a_port(make_app(workshop)) as url:
        socket = await connect(url.replace("http", "ws") + "/ws")
        await ask(socket, "reset", seed=1)
    assert (await close_of(socket))[0] == CloseCode.SERVER_STOPS
    await until_async(lambda: not workshop.running)
