"""What a shipped policy would do next in a session, for whom may see the truth."""

import pytest
from starlette.testclient import TestClient

from orchestrator.environment import Environment
from sre_autopilot.policies import POLICY_NAMES, load_policy
from sre_autopilot.policies.play import play
from sre_autopilot.world.vocabulary import Tier
from tests.server.doors import WAIT, make_app
from tests.watched_simulator import WatchedSimulator

TOKEN = "open-sesame"
TIER, SEED = Tier.EASY, 3


def begin(client, session_id="default"):
    body = {"task_tier": TIER, "seed": SEED, "session_id": session_id}
    return client.post("/reset", json=body).json()["observation"]


def ask(client, policy, **query):
    return client.get("/advice", params={"policy": policy, **query})


@pytest.mark.parametrize("policy", ["oracle", "runbook", "random"])
def test_an_episode_by_advice_is_the_policys_own(client, policy):
    done = False
    begin(client)
    while not done:
        advice = ask(client, policy).json()
        done = client.post("/step", json=advice["action"]).json()["done"]
    score = client.get("/grader").json()["score"]
    played = client.get("/state").json()["hidden"]
    assert advice["policy"] == policy
    assert advice["privileged"] == load_policy(policy).privileged
    own = by_itself(policy)
    assert (score, played["score"]) == (round(own.score, 4), own.score)


def by_itself(policy):
    with Environment(WatchedSimulator) as environment:
        return play(environment, load_policy(policy), TIER, SEED)[0]


def test_late_and_repeated_questions_get_the_same_advice(client):
    begin(client, "often")
    begin(client, "late")
    often = []
    for _ in range(8):
        often = [ask(client, "runbook", session_id="often").json() for _ in range(2)]
        for session_id in ("often", "late"):
            client.post("/step", json={**WAIT, "session_id": session_id})
    assert often[0] == often[1]
    answers = [ask(client, "runbook", session_id=name).json() for name in ("often", "late")]
    assert answers[0] == answers[1]
    assert answers[0]["step"] == 8


def test_only_shipped_policies_are_asked(client):
    begin(client)
    for name in ("os:system", "nobody", ""):
        refused = ask(client, name)
        assert (refused.status_code, refused.json()["field"]) == (422, "policy")
        assert "belief" in refused.json()["detail"]
    assert client.get("/advice").json()["field"] == "policy"


def test_the_document_names_who_may_be_asked(client):
    asked = client.get("/openapi.json").json()["paths"]["/advice"]["get"]["parameters"]
    schema = next(each["schema"] for each in asked if each["name"] == "policy")
    assert schema["enum"] == [*POLICY_NAMES]


def test_advice_comes_while_an_episode_runs(client):
    assert ask(client, "runbook").json()["error"] == "episode_not_started"
    assert ask(client, "runbook", session_id="nobody").json()["error"] == "unknown_session"
    begin(client)
    while not client.post("/step", json=WAIT).json()["done"]:
        pass
    assert ask(client, "runbook").json()["error"] == "episode_over"


def test_a_new_episode_of_a_session_is_read_from_its_beginning(client):
    for _ in range(2):
        begin(client)
        answer = ask(client, "sweep_restart").json()
        assert answer["step"] == 0
        first = answer["action"]
    assert ask(client, "sweep_restart").json()["action"] == first


def test_advice_needs_the_token_where_there_is_one(workshop):
    app = make_app(workshop, state_token=TOKEN)
    with TestClient(app, raise_server_exceptions=False) as client:
        begin(client)
        for sent in ({}, {"authorization": "Bearer wrong"}):
            refused = client.get("/advice", params={"policy": "oracle"}, headers=sent)
            assert (refused.status_code, refused.json()["error"]) == (401, "unauthorized")
        right = {"authorization": f"Bearer {TOKEN}"}
        answer = client.get("/advice", params={"policy": "oracle"}, headers=right)
    assert answer.json()["action"]["action"] is not None
