"""The debrief over HTTP: of episodes that are over, for whom may see the truth."""

import pytest
from starlette.testclient import TestClient

from server.debrief import Reviewer
from sre_autopilot.grading import dump_lines
from sre_autopilot.world.vocabulary import Tier
from tests.server.doors import WAIT, make_app
from tests.sre_autopilot.grading.episodes import episode

TOKEN = "open-sesame"


@pytest.fixture
def reviewed(monkeypatch):
    """What the process that reviews was sent; it answers at once."""
    sent = []

    async def review(_reviewer, content, format_):
        sent.append((content, format_))
        return b"{}"

    monkeypatch.setattr(Reviewer, "review", review)
    return sent


def play_to_the_end(client):
    client.post("/reset", json={"task_tier": Tier.EASY, "seed": 3})
    while not client.post("/step", json=WAIT).json()["done"]:
        pass


def test_a_finished_episode_is_debriefed_and_a_running_one_never(client, reviewed):
    assert client.get("/debrief").status_code == 409
    client.post("/reset", json={"task_tier": Tier.EASY, "seed": 3})
    refused = client.get("/debrief")
    assert (refused.status_code, refused.json()["error"]) == (409, "not_graded_yet")
    assert reviewed == []
    play_to_the_end(client)
    assert client.get("/debrief").status_code == 200
    assert reviewed[0][0].startswith(b'{"type": "episode"')


@pytest.mark.parametrize("format_", ["json", "markdown", "html"])
def test_a_format_is_answered_with_its_media_type(client, reviewed, format_):
    play_to_the_end(client)
    answer = client.get("/debrief", params={"format": format_})
    assert format_ in answer.headers["content-type"]
    assert reviewed[-1][1] == format_


def test_an_unknown_format_is_refused_by_name(client):
    assert client.get("/debrief", params={"format": "pdf"}).json()["field"] == "format"


def test_a_debrief_needs_the_token_where_there_is_one(workshop, tmp_path, reviewed):
    record = episode(last=3)
    file = tmp_path / "mine.jsonl"
    file.write_text("".join(line + "\n" for line in dump_lines(record)))
    app = make_app(workshop, record_dir=tmp_path, state_token=TOKEN)
    with TestClient(app, raise_server_exceptions=False) as client:
        for sent in ({}, {"authorization": "Bearer wrong"}):
            refused = client.get("/debrief", params={"record_id": "mine"}, headers=sent)
            assert (refused.status_code, refused.json()["error"]) == (401, "unauthorized")
        right = {"authorization": f"Bearer {TOKEN}"}
        assert (
            client.get("/debrief", params={"record_id": "none"}, headers=right).status_code == 404
        )
        answer = client.get("/debrief", params={"record_id": "mine"}, headers=right)
    assert answer.status_code == 200
    assert reviewed == [(file.read_bytes(), "json")]


def test_the_process_that_reviews_says_why_it_cannot(tmp_path, workshop):
    # Made up for the grader: its fault is not the one that its seed draws.
    file = tmp_path / "mine.jsonl"
    file.write_text("".join(line + "\n" for line in dump_lines(episode(last=3))))
    app = make_app(workshop, record_dir=tmp_path)
    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.get("/debrief", params={"record_id": "mine"})
    assert (answer.status_code, answer.json()["error"]) == (409, "not_replayable")
    assert "faults" in answer.json()["detail"]
