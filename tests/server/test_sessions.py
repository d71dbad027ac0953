"""Sessions: capped, leased, apart from each other, and gone without a trace when over."""

import asyncio
import json
import socket
import threading

import httpx
import pytest
from websockets.sync.client import connect

from orchestrator.errors import FaultNotInstalled
from sre_autopilot import grading
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, FaultKind, Tier
from tests.server.doors import (
    LEASE_S,
    WAIT,
    Workshop,
    in_process,
    make_app,
    on_a_port,
    sessions_in_use,
    until,
    until_async,
)
from tests.watched_simulator import WatchedSimulator

pytestmark = pytest.mark.anyio


class HeldMesh(WatchedSimulator):
    """Lets a window pass only while `open` is set."""

    open: asyncio.Event

    async def observe(self, step, open_breakers=()):
        await self.open.wait()
        return await super().observe(step, open_breakers)


class BrokenMesh(WatchedSimulator):
    """Fails in the window of step 2."""

    async def observe(self, step, open_breakers=()):
        if step == 2:
            raise FaultNotInstalled(FaultKind.SINGLE_OOM, "gone")
        return await super().observe(step, open_breakers)


@pytest.fixture
def held():
    HeldMesh.open = asyncio.Event()
    HeldMesh.open.set()
    return Workshop(HeldMesh)


def tasks_but_this_one():
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


async def in_use(client):
    return (await client.get("/ready")).json()["sessions"]


async def test_a_reset_in_mid_episode_abandons_it(app, workshop):
    async with in_process(app) as client:
        for name in ("first", "second"):
            answer = await client.post("/reset", json={"seed": 1, "episode_id": name})
            assert answer.status_code == 200
            assert (await client.get("/state")).json()["episode_id"] == name
            assert (await client.post("/step", json=WAIT)).json()["observation"]["step"] == 1
        assert len(workshop.running) == 1
    assert not workshop.running


async def test_sessions_over_the_cap_are_refused_and_the_others_go_on(app, workshop):
    async with in_process(app) as client:
        assert (await client.get("/ready")).status_code == 200
        for name in ("a", "b"):
            assert (await client.post("/reset", json={"session_id": name})).status_code == 200
        ready = await client.get("/ready")
        assert ready.status_code == 503
        assert ready.json() == {"status": "full", "sessions": 2, "max_sessions": 2}
        for body in ({"session_id": "c"}, {}):
            refused = await client.post("/reset", json=body)
            assert refused.status_code == 503
            assert refused.json()["error"] == "session_capacity_error"
            assert int(refused.headers["retry-after"]) > 0
        create = {"jsonrpc": "2.0", "id": 1, "method": "openenv/session/create"}
        assert "capacity" in (await client.post("/mcp", json=create)).json()["error"]["message"]
        for path in ("/grader?tier=easy", "/baseline"):
            assert (await client.get(path)).status_code == 409
        assert (await client.get("/health")).json() == {"status": "healthy"}
        for name in ("a", "b"):
            answer = await client.post("/step", json={**WAIT, "session_id": name})
            assert answer.json()["observation"]["step"] == 1
        assert (await client.delete("/sessions/a")).status_code == 204
        assert (await client.get("/ready")).status_code == 200
        assert (await client.post("/reset", json={"session_id": "c"})).status_code == 200
        assert len(workshop.running) == 2


def test_a_socket_over_the_cap_is_refused_with_a_reason(client):
    for name in ("a", "b"):
        client.post("/reset", json={"session_id": name})
    with client.websocket_connect("/ws") as socket:
        assert socket.receive_json()["data"]["code"] == "CAPACITY_REACHED"
    with client.websocket_connect("/mcp") as socket:
        assert "capacity" in socket.receive_json()["error"]["message"]
    assert sessions_in_use(client) == 2


async def test_an_ended_session_leaves_nothing(app, workshop):
    async with in_process(app) as client:
        before = tasks_but_this_one()
        for name in ("a", "b"):
            await client.post("/reset", json={"session_id": name})
            await client.post("/step", json={**WAIT, "session_id": name})
        assert tasks_but_this_one() > before, "an episode holds its impairments by a task"
        for name in ("a", "b"):
            assert (await client.delete(f"/sessions/{name}")).status_code == 204
            assert (await client.get(f"/state?session_id={name}")).status_code == 404
        assert await in_use(client) == 0
        assert not workshop.running
        await until_async(lambda: tasks_but_this_one() == before)


async def test_the_end_of_the_server_ends_all_sessions(app, workshop):
    before = tasks_but_this_one()
    async with in_process(app) as client:
        for name in ("a", "b"):
            await client.post("/reset", json={"session_id": name})
        assert len(workshop.running) == 2
    assert not workshop.running
    await until_async(lambda: tasks_but_this_one() == before)


async def held_step(client, held):
    """A step of a new episode that gets no answer until `held` is opened again."""
    await client.post("/reset")
    held.kind.open.clear()
    step = asyncio.create_task(client.post("/step", json=WAIT))
    await until_async(held.kind.open._waiters.__len__)
    return step


async def test_two_calls_at_once_in_one_session(held):
    async with in_process(make_app(held)) as client:
        first = await held_step(client, held)
        for path, body in (("/step", WAIT), ("/reset", {})):
            busy = await client.post(path, json=body)
            assert busy.status_code == 409 and busy.json()["error"] == "session_busy"
        assert (await client.get("/state")).status_code == 200
        held.kind.open.set()
        assert (await first).json()["observation"]["step"] == 1
        assert (await client.post("/step", json=WAIT)).json()["observation"]["step"] == 2


async def test_a_session_that_is_ended_in_a_call_still_answers_it(held):
    async with in_process(make_app(held)) as client:
        step = await held_step(client, held)
        end = asyncio.create_task(client.delete("/sessions/default"))
        held.kind.open.set()
        assert (await step).status_code == 200
        assert (await end).status_code == 204
        assert not held.running


async def test_an_idle_session_ends_with_its_lease(held, leases):
    async with in_process(make_app(held, session_lease_s=LEASE_S)) as client:
        before = tasks_but_this_one()
        await client.post("/reset", json={"session_id": "idle"})
        held.kind.open.clear()
        slow = asyncio.create_task(client.post("/reset", json={"session_id": "slow"}))
        await until_async(held.kind.open._waiters.__len__)
        leases.passes(1.1)
        await until_async(lambda: len(held.running) == 1)
        assert (await client.get("/state?session_id=idle")).status_code == 404
        assert not slow.done(), "its lease is over, but its call is not"
        held.kind.open.set()
        assert (await slow).status_code == 200
        leases.passes(1.1)
        await until_async(lambda: not held.running)
        assert await in_use(client) == 0
        await until_async(lambda: tasks_but_this_one() == before)
        gone = await client.post("/step", json={**WAIT, "session_id": "slow"})
        assert gone.status_code == 404 and "reset" in gone.json()["detail"]


async def test_a_session_that_is_played_outlives_its_lease(workshop, leases):
    async with in_process(make_app(workshop, session_lease_s=LEASE_S)) as client:
        for name in ("idle", "played"):
            await client.post("/reset", json={"session_id": name})
        leases.passes(0.6)
        assert (await client.get("/state?session_id=played")).status_code == 200
        leases.passes(0.6)
        await until_async(lambda: len(workshop.running) == 1)
        assert (await client.get("/state?session_id=idle")).status_code == 404
        step = await client.post("/step", json={**WAIT, "session_id": "played"})
        assert step.status_code == 200


def test_a_client_that_goes_without_goodbye_leaves_nothing(workshop, caller, url):
    threads = set(threading.enumerate())
    with connect(url.replace("http", "ws") + "/ws") as client:
        client.send(json.dumps({"type": "reset", "data": {}}))
        client.recv()
        assert sessions_in_use(caller) == 1
        client.send(json.dumps({"type": "step", "data": WAIT}))
        client.socket.shutdown(socket.SHUT_RDWR)
        until(lambda: sessions_in_use(caller) == 0)
    until(lambda: not workshop.running)
    until(lambda: {t for t in threading.enumerate() if t.is_alive()} <= threads)


def test_an_http_client_that_goes_in_a_call_loses_nothing(caller):
    caller.post("/reset", json={"seed": 1})
    request = caller.build_request("POST", "/step", json=WAIT)
    lines = ["POST /step HTTP/1.1", *(f"{k}: {v}" for k, v in request.headers.items()), "", ""]
    with socket.create_connection((request.url.host, request.url.port)) as gone:
        gone.sendall("\r\n".join(lines).encode() + request.content)
    # The call that nobody waits for may still run when its window is over: HTTP says 409 so long.
    until(lambda: caller.get("/state").json()["step_count"] == 1)
    until(lambda: caller.post("/step", json=WAIT).status_code == 200)
    assert caller.get("/state").json()["step_count"] == 2


def test_the_server_s_threads_end_with_it(workshop):
    before = set(threading.enumerate())
    with on_a_port(make_app(workshop)) as url:
        assert httpx.post(f"{url}/reset").status_code == 200
        assert httpx.get(f"{url}/metadata").status_code == 200
    until(lambda: set(threading.enumerate()) <= before)
    assert not workshop.running


async def test_a_world_that_fails_takes_its_episode_and_nothing_else():
    workshop = Workshop(BrokenMesh)
    async with in_process(make_app(workshop)) as client:
        before = tasks_but_this_one()
        await client.post("/reset", json={"session_id": "mine"})
        step = {**WAIT, "session_id": "mine"}
        assert (await client.post("/step", json=step)).status_code == 200
        failed = await client.post("/step", json=step)
        assert failed.status_code == 503 and failed.json()["error"] == "episode_abandoned"
        assert failed.headers["retry-after"]
        assert not workshop.running
        await until_async(lambda: tasks_but_this_one() == before)
        assert (await client.post("/step", json=step)).json()["error"] == "episode_not_started"
        assert (await client.get("/grader?session_id=mine")).status_code == 409
        assert (await client.post("/reset", json={"session_id": "mine"})).status_code == 200
        assert (await client.get("/grader?tier=easy")).status_code == 503
        assert await in_use(client) == 1


async def test_a_socket_can_join_a_session(app):
    async with in_process(app) as client:
        create = {"jsonrpc": "2.0", "id": 1, "method": "openenv/session/create"}
        created = (await client.post("/mcp", json=create)).json()["result"]["session_id"]
        answer = await client.post("/reset", json={"session_id": created})
        assert answer.json()["session_id"] == created
        assert await in_use(client) == 1


def script(index):
    """Thirty actions, different for each player."""
    names = (ActionName.WAIT, ActionName.RESTART, ActionName.SCALE_UP, ActionName.CIRCUIT_BREAK)
    services = tuple(Service)
    for step in range(30):
        name = names[(step * (index + 2)) % len(names)]
        yield {"action": name, "service_id": services[(step + index) % len(services)]}


async def play(client, session, index):
    reset = {"session_id": session, "seed": 40 + index, "episode_id": f"{session}-{index}"}
    await client.post("/reset", json={**reset, "task_tier": tuple(Tier)[index]})
    for action in script(index):
        answer = await client.post("/step", json={**action, "session_id": session})
        if answer.json()["done"]:
            return


def what_was_recorded(folder, name):
    (record,) = grading.read_episodes((folder / f"{name}.jsonl").read_text().splitlines())
    steps = [step.model_dump(exclude={"duration_s"}) for step in record.steps]
    return steps, record.faults, record.score


async def test_two_sessions_at_once_do_not_disturb_each_other(workshop, tmp_path):
    async with in_process(make_app(workshop, record_dir=tmp_path)) as client:
        await asyncio.gather(play(client, "left", 1), play(client, "right", 4))
        assert await in_use(client) == 2
    for session, index in (("left", 1), ("right", 4)):
        async with in_process(make_app(workshop, record_dir=tmp_path)) as client:
            await play(client, "alone", index)
        together = what_was_recorded(tmp_path, f"{session}-{index}")
        assert together == what_was_recorded(tmp_path, f"alone-{index}")
        assert together[2] is not None


async def test_a_session_that_is_left_ends_unless_it_gets_a_call(workshop):
    app = make_app(workshop)
    async with in_process(app) as client:
        for name in ("gone", "back"):
            await client.post("/reset", json={"session_id": name})
        before = tasks_but_this_one()
        assert (await client.delete("/sessions/back", params={"after_s": 60})).status_code == 204
        assert tasks_but_this_one() > before, "its end is to come"
        assert (await client.get("/state", params={"session_id": "back"})).status_code == 200
        await until_async(lambda: tasks_but_this_one() == before)
        assert (await client.delete("/sessions/gone", params={"after_s": 0.05})).status_code == 204
        await until_async(lambda: len(workshop.running) == 1)
        assert (await client.get("/state", params={"session_id": "gone"})).status_code == 404
        assert (await client.get("/state", params={"session_id": "back"})).status_code == 200


async def test_a_full_server_says_when_a_lease_is_over(workshop):
    app = make_app(workshop, max_sessions=1, session_lease_s=40.0)
    async with in_process(app) as client:
        await client.post("/reset", json={"session_id": "first"})
        full = await client.post("/reset", json={"session_id": "second"})
    assert full.status_code == 503
    # 40 s of lease, checked every 10 s, less the moment that the first call is old.
    assert 45 < int(full.headers["Retry-After"]) <= 50
