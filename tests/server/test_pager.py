"""GET /pager gives the feed of what the session's agent saw, and counts as no call."""

from sre_autopilot.models import SREObservation
from sre_autopilot.pager import INCIDENT, pager_feed
from sre_autopilot.world.vocabulary import Tier
from tests.server.doors import WAIT


def test_the_pager_has_the_feed_of_the_observations_the_newest_first(client):
    answer = client.post("/reset", json={"task_tier": Tier.EASY, "seed": 3}).json()
    observations = [answer["observation"]]
    for _ in range(6):
        observations.append(client.post("/step", json=WAIT).json()["observation"])
    feed = pager_feed([SREObservation.model_validate(each) for each in observations])
    body = client.get("/pager").json()
    assert body["step"] == 6
    assert [notice["step"] for notice in body["notices"]] == [n.step for n in reversed(feed)]
    assert body["notices"][-1]["alert"] == INCIDENT
    assert len(feed) > 1


def test_a_session_without_an_episode_has_no_pager(client):
    assert client.get("/pager").json()["error"] == "episode_not_started"
    assert client.get("/pager?session_id=nobody").json()["error"] == "unknown_session"
