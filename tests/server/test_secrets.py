"""No byte that an agent can fetch names the fault, its root or its cause: every door is tried."""

import pytest
from starlette.testclient import TestClient

from chaos.tiers import draw_faults
from orchestrator.errors import FaultNotInstalled
from server.schemas import DEFAULT_SESSION
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import FaultKind, FlapCause, Tier
from tests.server.doors import WAIT, Workshop, make_app
from tests.server.every_door import TOKEN, play_at, tell, try_every_door
from tests.server.leaks import HIDDEN_NAMES, leaks, secrets_of
from tests.watched_simulator import WatchedSimulator

SEEDS = range(3)
"""Causes are drawn in turn: with these every fault and every cause is met."""


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


def test_no_door_tells_what_is_hidden(workshop):
    app = make_app(workshop, state_token=TOKEN, max_sessions=2 * len(Tier))
    sessions = (DEFAULT_SESSION, *Tier)
    with TestClient(app, raise_server_exceptions=False) as client:
        fetched = [each for tier in Tier for each in play_at(client, tier, 2, steps=0)]
        for session, tier in zip(sessions, (Tier.EXPERT, *Tier), strict=True):
            client.post("/reset", json={"task_tier": tier, "seed": 2, "session_id": session})
        fetched += try_every_door(client, app, sessions)
        assert client.get("/state").json()["episode_id"]
        for session in sessions:
            step = WAIT | {"session_id": session}
            while not client.post("/step", json=step).json().get("done", True):
                pass
        fetched += try_every_door(client, app, sessions)
    assert {asked.split()[1] for asked, _ in fetched if asked.startswith("GET")} >= {
        *("/openapi.json", "/docs", "/web", "/tasks", "/grader", "/state", "/schema", "/mcp"),
    }
    texts, field_names = map(set.union, *(secrets_of(tier, 2) for tier in Tier))
    assert leaks(fetched, (texts, field_names)) == []


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
