"""No byte that an agent can fetch names the fault, its root or its cause: every door is tried."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from chaos.tiers import draw_faults
from orchestrator.errors import FaultNotInstalled
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, FaultKind, FlapCause, Tier
from tests.server.doors import WAIT, Workshop, make_app
from tests.server.leaks import HIDDEN_NAMES, Fetched, leaks, secrets_of
from tests.watched_simulator import WatchedSimulator

TOKEN = "open-sesame"
SEEDS = range(3)
"""Causes are drawn in turn: with these every fault and every cause is met."""
RPC = {"jsonrpc": "2.0", "id": 1}


def paths_of(app: FastAPI) -> Iterator[str]:
    """Every route there is: those of the schema, and those that it leaves out."""
    unlisted = {getattr(route, "path", "/") for route in app.routes}
    yield from sorted({*app.openapi()["paths"], *unlisted, "/web", "/metrics", "/nowhere"})


BODIES: tuple[Any, ...] = (
    *(None, {}, [], {"action": "reboot"}, {"task_tier": "brutal"}, {"session_id": "nobody"}),
    {"action": ActionName.RESTART, "service_id": "users"},
    *({**RPC, "method": method} for method in ("tools/list", "tools/call", "resources/list")),
)
BASELINES: dict[str, str] = {}
"""What /baseline answered in this module, by request."""
QUERIES = ("", "?session_id=nobody", "?tier=brutal", "?tier=hard&seed=1", "?seed=-1")


def tell(answer: Any) -> str:
    headers = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
    return f"{answer.status_code}\n{headers}\n{answer.text}"


def every_request(app: FastAPI) -> Iterator[tuple[str, str, Any]]:
    """Method, URL and body: GET, POST and the rest, with good input and bad."""
    for path in paths_of(app):
        for query in QUERIES:
            for method in ("GET", "HEAD") if not query else ("GET",):
                yield method, path + query, None
        for method in ("POST", "OPTIONS", "PUT", "DELETE"):
            for body in BODIES if method == "POST" else (None,):
                if path == "/reset" and body in (None, {}, {"session_id": "nobody"}):
                    continue  # would begin another episode
                yield method, path, body


def try_every_door(client: TestClient, app: FastAPI) -> Fetched:
    """What every request answers, asked on the server's own event loop: no thread is in between.

    /baseline plays in a session of its own: it answers the same whatever else is played, so that
    what it answered once is searched for the secrets of all.
    """
    assert client.portal is not None
    return client.portal.call(_try_every_door, app)


async def _try_every_door(app: FastAPI) -> Fetched:
    fetched = []
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
        for method, url, body in every_request(app):
            asked = f"{method} {url} {body}"
            if url.startswith("/baseline") and asked in BASELINES:
                fetched.append((asked, BASELINES[asked]))
                continue
            answer = tell(await client.request(method, url, json=body))
            fetched.append((asked, answer))
            if url.startswith("/baseline") and answer.startswith("200"):
                BASELINES[asked] = answer
    return fetched


def play_at(client: TestClient, tier: Tier, seed: int, steps: int) -> Fetched:
    """A while of an episode by each door that one can play by."""
    reset = {"task_tier": tier, "seed": seed}
    actions: list[dict[str, Any]] = [
        {"action": name, "service_id": Service.PAYMENT_GATEWAY} for name in ActionName
    ]
    actions += [WAIT] * steps
    fetched = [("reset", tell(client.post("/reset", json=reset)))]
    for action in actions:
        fetched.append((f"step {action}", tell(client.post("/step", json=action))))
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": TOKEN}):
        fetched.append(("state", tell(client.get("/state", headers=headers))))
    fetched.append(("grader", tell(client.get("/grader"))))
    with client.websocket_connect("/ws") as socket:
        messages: list[dict[str, Any]] = [{"type": "reset", "data": reset}]
        messages += [{"type": "step", "data": action} for action in (*actions, {"action": "x"})]
        messages += [{"type": "state"}, {"type": "hidden_state"}]
        messages.append({"type": "mcp", "data": {**RPC, "method": "tools/list"}})
        for message in messages:
            socket.send_json(message)
            fetched.append((f"/ws {message}", socket.receive_text()))
    with client.websocket_connect("/mcp") as socket:
        calls: list[tuple[str, dict[str, Any]]] = [("begin_episode", reset), ("observe", {})]
        for name in ActionName:
            wants = {} if name is ActionName.WAIT else {"service_id": Service.PAYMENT_GATEWAY}
            calls += [(name, wants), (name, {"service_id": "users"}), (name, {"fault": 1})]
        for tool, arguments in (*calls, ("hidden_state", {}), ("observe", {})):
            params = {"name": tool, "arguments": arguments}
            socket.send_json({**RPC, "method": "tools/call", "params": params})
            fetched.append((f"/mcp {params}", socket.receive_text()))
    return fetched


@pytest.fixture
def guarded(workshop):
    app = make_app(workshop, state_token=TOKEN)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def test_the_seeds_tried_hold_every_fault_and_cause():
    drawn = [fault for tier in Tier for seed in SEEDS for fault in draw_faults(tier, seed)]
    assert {fault.kind for fault in drawn} == set(FaultKind)
    assert {fault.parameters().get("cause") for fault in drawn} >= set(FlapCause)


@pytest.mark.parametrize("tier", Tier)
def test_playing_tells_nothing(guarded, tier):
    for seed in SEEDS:
        fetched = play_at(guarded, tier, seed, steps=4)
        assert sum("last_action_error" in text for _, text in fetched) > 20
        assert leaks(fetched, secrets_of(tier, seed)) == []


@pytest.mark.parametrize("tier", Tier)
def test_no_door_tells_what_is_hidden(guarded, tier):
    fetched = play_at(guarded, tier, 2, steps=0)
    guarded.post("/reset", json={"task_tier": tier, "seed": 2})
    fetched += try_every_door(guarded, guarded.app)
    assert guarded.get("/state").json()["episode_id"]
    while not guarded.post("/step", json=WAIT).json().get("done", True):
        pass
    fetched += try_every_door(guarded, guarded.app)
    assert {asked.split()[1] for asked, _ in fetched if asked.startswith("GET")} >= {
        *("/openapi.json", "/docs", "/web", "/tasks", "/grader", "/state", "/schema", "/mcp"),
    }
    assert leaks(fetched, secrets_of(tier, 2)) == []


def test_the_search_would_find_a_leak(guarded):
    guarded.post("/reset", json={"task_tier": Tier.HARD, "seed": 2})
    with_token = guarded.get("/state", headers={"authorization": f"Bearer {TOKEN}"})
    hits = {secret for _, secret in leaks([("state", tell(with_token))], secrets_of(Tier.HARD, 2))}
    (fault,) = draw_faults(Tier.HARD, 2)
    assert hits >= {fault.kind, fault.parameters()["cause"], "loss_share", "root", "faults"}
    assert hits >= {repr(fault.parameters()["loss_share"])}


def test_the_truth_is_for_those_who_have_the_token(guarded):
    guarded.post("/reset", json={"task_tier": Tier.EASY, "seed": 1})
    plain = guarded.get("/state")
    assert plain.json().keys() == {"episode_id", "step_count", "done", "backend"}
    for wrong in ("Bearer wrong", "Bearer", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", "\xff"):
        answer = guarded.get("/state", headers={"authorization": wrong.encode("latin-1")})
        assert answer.status_code == 401, wrong
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["error"] == "unauthorized" and "hidden" not in answer.text
    for same in (f"bearer {TOKEN}", f"Bearer {TOKEN} ", f"BEARER  {TOKEN}"):
        assert "hidden" in guarded.get("/state", headers={"authorization": same}).json()
    right = guarded.get("/state", headers={"authorization": f"Bearer {TOKEN}"}).json()
    (fault,) = draw_faults(Tier.EASY, 1)
    assert right["hidden"]["faults"][0]["kind"] == fault.kind
    assert right["hidden"]["faults"][0]["root"] == fault.root
    assert right["hidden"]["seed"] == 1
    assert {k: right[k] for k in plain.json()} == plain.json()


def test_in_development_the_state_shows_the_truth(client):
    client.post("/reset", json={"task_tier": Tier.HARD, "seed": 1})
    hidden = client.get("/state").json()["hidden"]
    assert hidden["tier"] == Tier.HARD
    assert hidden["faults"][0]["kind"] == FaultKind.FLAPPING_NETWORK
    assert hidden["true"].keys() == set(Service)


class TellTaleMesh(WatchedSimulator):
    """Fails in all sorts of ways, each of which names everything."""

    error: type[Exception] = FaultNotInstalled
    at_step = 0

    async def observe(self, step, open_breakers=()):
        if step >= self.at_step:
            hidden = "+".join(sorted(HIDDEN_NAMES))
            if issubclass(self.error, FaultNotInstalled):
                raise self.error(hidden, hidden)
            raise self.error(hidden)
        return await super().observe(step, open_breakers)


@pytest.mark.parametrize("error", [FaultNotInstalled, OSError, KeyError, ValueError, TimeoutError])
@pytest.mark.parametrize("at_step", [0, 1])
def test_a_failure_of_the_world_tells_nothing(monkeypatch, error, at_step, caplog):
    monkeypatch.setattr(TellTaleMesh, "error", error)
    monkeypatch.setattr(TellTaleMesh, "at_step", at_step)
    workshop = Workshop(TellTaleMesh)
    app = make_app(workshop, state_token=TOKEN)
    with TestClient(app, raise_server_exceptions=False) as client:
        fetched = play_at(client, Tier.HARD, 2, steps=1)
        if error is FaultNotInstalled:
            fetched += try_every_door(client, app)
        for path in ("/grader?tier=hard&seed=2", "/baseline"):
            answer = client.get(path)
            assert answer.status_code == 503
            fetched.append((path, tell(answer)))
        assert client.post("/reset").status_code == (503 if at_step == 0 else 200)
    assert leaks(fetched, secrets_of(Tier.HARD, 2)) == []
    assert sum("the mesh failed" in text for _, text in fetched) > 4
    assert all(name in caplog.text for name in HIDDEN_NAMES), "the log alone tells what failed"
    assert not workshop.running
