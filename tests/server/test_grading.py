"""/grader and /baseline: real scores of real episodes, and no room taken from anybody."""

import asyncio

import pytest

from orchestrator.environment import Environment
from sre_autopilot import grading
from sre_autopilot.policies.heuristic import Heuristic
from sre_autopilot.policies.play import play_async
from sre_autopilot.world.vocabulary import DEFAULT_TIERS, Tier
from tests.server.doors import WAIT, in_process, sessions_in_use
from tests.watched_simulator import WatchedSimulator

pytestmark = pytest.mark.anyio


async def score_of(tier, seed):
    environment = Environment(WatchedSimulator)
    try:
        _record, score = await play_async(environment, Heuristic(), tier, seed)
    finally:
        await environment.aclose()
    return score


@pytest.mark.parametrize("tier", Tier)
async def test_the_heuristic_is_played_and_graded(app, workshop, tier):
    async with in_process(app) as client:
        answer = await client.get("/grader", params={"tier": tier, "seed": 3})
        assert answer.status_code == 200
        body, score = answer.json(), await score_of(tier, 3)
        assert body["score"] == pytest.approx(score.total, abs=1e-4)
        assert 0.0 < body["score"] < 1.0
        assert (body["tier"], body["seed"]) == (tier, 3)
        assert body["backend"] == WatchedSimulator.name
        assert body["policy"] == Heuristic.name
        assert body["terms"].keys() == grading.WEIGHTS.keys()
        assert (body["resolved"], body["recovered_at"]) == (score.resolved, score.recovered_at)
        assert not workshop.running


async def test_scores_differ_between_episodes(app):
    async with in_process(app) as client:
        scores = {
            (await client.get(f"/grader?tier={tier}&seed={seed}")).json()["score"]
            for tier in (Tier.MEDIUM, Tier.CONTROL)
            for seed in range(3)
        }
    assert len(scores) > 2


async def test_the_same_seed_gives_the_same_score(app):
    async with in_process(app) as client:
        first, again = [(await client.get("/grader?tier=expert")).json() for _ in range(2)]
    assert first == again and first["seed"] == 0


async def test_the_baseline_plays_every_default_tier(app, workshop):
    async with in_process(app) as client:
        answer = (await client.get("/baseline")).json()
    assert answer["scores"].keys() == set(DEFAULT_TIERS)
    for tier in DEFAULT_TIERS:
        assert answer["scores"][tier] == pytest.approx((await score_of(tier, 0)).total, abs=1e-4)
    assert not workshop.running


def test_a_session_s_episode_is_graded_when_it_is_over(client):
    client.post("/reset", json={"seed": 1, "session_id": "mine"})
    early = client.get("/grader?session_id=mine")
    assert early.status_code == 409 and "step 0" in early.json()["detail"]
    step = {**WAIT, "session_id": "mine"}
    while not (last := client.post("/step", json=step).json())["done"]:
        assert client.get("/grader?session_id=mine").status_code == 409
    answer = client.get("/grader?session_id=mine").json()
    assert answer["score"] == round(last["reward"], 4)
    assert "seed" not in answer and "tier" not in answer
    client.post("/reset", json={"session_id": "mine"})
    assert client.get("/grader?session_id=mine").status_code == 409


def test_without_room_nothing_is_graded(client):
    for name in ("a", "b"):
        client.post("/reset", json={"session_id": name})
    for path in ("/grader?tier=easy", "/baseline"):
        full = client.get(path)
        assert full.status_code == 409 and full.json()["error"] == "no_free_session"
        assert "2 sessions" in full.json()["detail"]
    client.delete("/sessions/a")
    assert client.get("/grader?tier=easy").status_code == 200
    assert sessions_in_use(client) == 1


async def test_graded_episodes_leave_players_alone(app):
    async with in_process(app) as client:
        await client.post("/reset", json={"seed": 1, "episode_id": "mine"})
        graded = asyncio.create_task(client.get("/grader?tier=hard"))
        for step in range(1, 6):
            answer = await client.post("/step", json=WAIT)
            assert answer.json()["observation"]["step"] == step
        assert (await graded).status_code == 200
        assert (await client.get("/state")).json()["episode_id"] == "mine"


def test_the_tasks_name_every_tier(client):
    answer = client.get("/tasks").json()
    assert answer["environment"].keys() == {"name", "version", "world_version", "backend"}
    assert [task["task_tier"] for task in answer["tasks"]] == list(Tier)
    assert {t["task_tier"] for t in answer["tasks"] if t["default"]} == set(DEFAULT_TIERS)
    for task in answer["tasks"]:
        assert client.post("/reset", json={"task_tier": task["id"]}).status_code == 200
    assert answer["action_schema"]["properties"].keys() == {"action", "service_id"}
