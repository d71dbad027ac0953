"""NeMo Gym: its server class answers the calls that its agent server makes."""

import json
from unittest.mock import MagicMock

import pytest

pytest.importorskip("nemo_gym", reason="make test-trainers has NeMo Gym, for Python 3.12")

from fastapi.testclient import TestClient
from nemo_gym.server_utils import ServerClient

from sre_autopilot.adapters import nemo_gym
from sre_autopilot.grading.score import LOWEST
from sre_autopilot.world.vocabulary import ActionName
from tests.sre_autopilot.adapters import engineer, page

RESPONSE = {
    "id": "r", "created_at": 0, "model": "m", "object": "response", "output": [],
    "parallel_tool_calls": False, "tool_choice": "auto", "tools": [],
}  # fmt: skip


@pytest.fixture
def client():
    config = nemo_gym.SREAutopilotConfig(host="127.0.0.1", port=1, entrypoint="", name="sre")
    server = nemo_gym.SREAutopilotResourcesServer(
        config=config, server_client=MagicMock(spec=ServerClient)
    )
    with TestClient(server.setup_webserver()) as client:
        yield client


@pytest.fixture
def row(tmp_path, monkeypatch):
    """Of the lines that the page has one write."""
    monkeypatch.chdir(tmp_path)
    page.run_saved("nemo_gym_rows.py", tmp_path)
    lines = map(json.loads, (tmp_path / "train.jsonl").read_text().splitlines())
    return next(line for line in lines if line["task"] == engineer.KEY)


def verify(client, row):
    return client.post("/verify", json=row | {"response": RESPONSE}).json()


def test_an_episode_of_a_row_is_played_by_tools_and_verified(client, row):
    assert {tool["name"] for tool in row["responses_create_params"]["tools"]} == {*ActionName}
    assert client.post("/seed_session", json=row).status_code == 200
    window = row["responses_create_params"]["input"][-1]["content"]
    assert "no answer" not in client.post("/restart", content=b"{not JSON").json()
    client.post("/restart", json={"service_id": "the_database"})
    while "is over" not in window:
        action, service = engineer.decide(window)
        window = client.post(f"/{action}", json={"service_id": service} if service else {}).json()
    assert "begin another" in client.post("/wait", json={}).json()
    verified = verify(client, row)
    metrics = {name: verified[name] for name in verified.keys() - {*row, "response", "reward"}}
    engineer.check(metrics)
    assert verified["reward"] == metrics["score"]


def test_an_episode_that_is_left_scores_the_least(client):
    row = json.loads(json.dumps(nemo_gym.rows("train", 1, ["easy"])[0]))
    client.post("/seed_session", json=row)
    assert verify(client, row)["reward"] == LOWEST
    assert verify(client, row)["reward"] == LOWEST
