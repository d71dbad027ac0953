"""A judged server: names of sessions, backends, metrics and records."""

import re
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from orchestrator.settings import Mode, Settings
from server.metrics_door import serving_metrics
from server.monitoring import Monitoring
from server.startup import metrics_tokens, say_mode
from sre_autopilot.grading import read_episodes
from sre_autopilot.world.vocabulary import Tier
from tests.server.doors import WAIT, make_app

TOKEN, MESH_TOKEN = "token-of-the-judge", "token-of-the-stack"
JUDGED: dict[str, Any] = {
    "mode": Mode.JUDGE,
    "state_token": TOKEN,
    "secret": "a-secret-that-is-long-enough",
}
AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}
UNGUESSABLE = re.compile("[0-9a-f]{32}")


@pytest.fixture
def judged(workshop, tmp_path):
    app = make_app(workshop, record_dir=tmp_path, max_sessions=8, **JUDGED)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize("asked", [{}, {"session_id": "default"}, {"session_id": "mine"}])
def test_a_new_session_gets_a_name_that_nobody_can_guess(judged, asked):
    names = {judged.post("/reset", json=asked).json()["session_id"] for _ in range(2)}
    assert len(names) == 2
    assert all(UNGUESSABLE.fullmatch(name) for name in names)
    for name in names:
        answer = judged.post("/step", json={**WAIT, "session_id": name})
        assert answer.json()["session_id"] == name
    for guess in ("default", "mine"):
        assert judged.post("/step", json={**WAIT, "session_id": guess}).status_code in (404, 409)
        assert judged.get(f"/state?session_id={guess}").json().get("episode_id") is None
    assert judged.post("/step", json=WAIT).status_code == 409


def test_a_session_keeps_its_name_at_the_next_reset(judged):
    name = judged.post("/reset").json()["session_id"]
    assert judged.post("/reset", json={"session_id": name}).json()["session_id"] == name
    assert judged.get("/ready").json()["sessions"] == 1


def test_a_name_that_could_be_no_name_is_refused(judged):
    answer = judged.post("/reset", json={"session_id": "../x"})
    assert (answer.status_code, answer.json()["field"]) == (422, "session_id")


@pytest.mark.parametrize("backend", ["simulator", "docker", "os:system"])
def test_no_client_chooses_a_backend(judged, backend):
    answer = judged.post("/reset", json={"backend": backend})
    assert (answer.status_code, answer.json()["field"]) == (422, "backend")
    assert "process" in answer.json()["detail"]
    if backend != "simulator":
        answer = judged.get(f"/grader?tier=easy&backend={backend}")
        assert (answer.status_code, answer.json()["field"]) == (422, "backend")


def test_the_record_has_the_seed_that_was_played_and_the_key(judged, tmp_path):
    reset = judged.post("/reset", json={"seed": 7, "episode_id": "mine"}).json()
    url = f"/state?session_id={reset['session_id']}"
    hidden = judged.get(url, headers=AUTHORIZED).json()["hidden"]
    assert "hidden" not in judged.get(url).json()
    judged.delete(f"/sessions/{reset['session_id']}")
    (record,) = read_episodes((tmp_path / "mine.jsonl").read_text().splitlines())
    assert (record.seed, record.episode_key) == (hidden["seed"], hidden["episode_key"])
    assert record.seed != 7 and record.episode_key > 0


def test_graded_play_leaves_no_record_and_plays_the_public_seed(judged, client, tmp_path):
    for path in ("/grader?tier=medium&seed=3", "/baseline"):
        assert judged.get(path).json() == client.get(path).json()
    assert list(tmp_path.iterdir()) == []


def test_develop_mode_warns_once_of_what_is_open(caplog):
    say_mode(Settings())
    say_mode(Settings(state_token=TOKEN))
    say_mode(Settings(backend="docker", state_token=TOKEN))
    open_truth, guarded_truth, open_stack = caplog.records
    assert "SRE_MODE=develop" in open_truth.message and "SRE_MODE=judge" in open_truth.message
    assert "SRE_STATE_TOKEN is not set" in open_truth.message
    assert "SRE_STATE_TOKEN" not in guarded_truth.message
    assert "SRE_MESH_TOKEN is not set" in open_stack.message
    assert TOKEN not in caplog.text


@pytest.mark.parametrize(
    ("backend", "warned"), [("process", True), ("docker", True), ("simulator", False)]
)
def test_judge_mode_warns_of_agents_on_the_same_machine(caplog, tmp_path, backend, warned):
    caplog.set_level("WARNING", "server.startup")
    judged = JUDGED | {"backend": backend, "mesh_token": TOKEN}
    say_mode(Settings(record_dir=tmp_path, **judged))
    assert ["a shell" in entry.message for entry in caplog.records] == [True] * warned


def test_judge_mode_warns_of_what_cannot_be_had_later(caplog, tmp_path):
    # A server that another test has started may have set a lower level.
    caplog.set_level("WARNING", "server.startup")
    simulated = JUDGED | {"backend": "simulator"}
    say_mode(Settings(record_dir=tmp_path, **simulated))
    assert not caplog.records
    say_mode(Settings(**{**simulated, "secret": None}))
    assert [entry.message.partition(" ")[0] for entry in caplog.records] == [
        "SRE_RECORD_DIR",
        "SRE_SECRET",
    ]


def test_metrics_ask_for_a_token_where_judged():
    assert metrics_tokens(Settings(state_token=TOKEN)) == ()
    assert metrics_tokens(Settings(**JUDGED)) == (TOKEN,)
    both = Settings(mesh_token=MESH_TOKEN, **JUDGED)
    assert metrics_tokens(both) == (TOKEN, MESH_TOKEN)


@pytest.mark.anyio
async def test_metrics_are_for_those_who_have_a_token(caplog):
    caplog.set_level("INFO", "server.metrics_door")
    async with serving_metrics(Monitoring().registry, "127.0.0.1", 0, (TOKEN, MESH_TOKEN)):
        (url,) = re.findall(r"http://\S+", caplog.text)
        async with httpx.AsyncClient(trust_env=False) as client:
            for token in (TOKEN, MESH_TOKEN):
                answer = await client.get(url, headers={"authorization": f"Bearer {token}"})
                assert answer.status_code == 200 and "sre_episodes_total" in answer.text
            for headers in ({}, {"authorization": "Bearer x"}):
                answer = await client.get(url, headers=headers)
                assert answer.status_code == 401 and "sre_" not in answer.text


def test_tiers_of_one_seed_and_neighbours_have_stories_of_their_own(judged):
    seeds = set()
    for tier in (Tier.EASY, Tier.HARD):
        for seed in (0, 1):
            name = judged.post("/reset", json={"seed": seed, "task_tier": tier}).json()[
                "session_id"
            ]
            hidden = judged.get(f"/state?session_id={name}", headers=AUTHORIZED).json()["hidden"]
            seeds.add(hidden["seed"])
    assert len(seeds) == 4
