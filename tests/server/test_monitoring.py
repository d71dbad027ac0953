"""/metrics: on a port of its own, counts what agents do, forgets sessions that are over."""

import re
import socket
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from orchestrator.errors import FaultNotInstalled
from orchestrator.settings import Settings
from server.app import create_app
from sre_autopilot.world import signals
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import MAX_RESTARTS, MAX_STEPS, ActionName, FaultKind, Tier
from tests.server.doors import WAIT, Workshop, make_app, until
from tests.watched_simulator import WatchedSimulator

Sample = tuple[str, frozenset[tuple[str, str]]]
RESTART = {"action": ActionName.RESTART, "service_id": Service.USER_DB}


@pytest.fixture
def metrics_url(client, caplog) -> str:
    """Where the running server says that its metrics are."""
    (url,) = re.findall(r"metrics on (http://\S+)", caplog.text)
    return str(url)


@pytest.fixture(autouse=True)
def everything_logged(caplog):
    caplog.set_level("INFO", "server")


def scraped(url: str) -> dict[Sample, float]:
    answer = httpx.get(url)
    assert answer.status_code == 200
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def sample(name: str, **labels: str) -> Sample:
    return name, frozenset(labels.items())


def of_sessions(samples: dict[Sample, float]) -> Iterator[str]:
    for _name, labels in samples:
        yield from (value for label, value in labels if label == signals.LABEL_SESSION)


def test_actions_of_agents_are_counted(everything_logged, client, metrics_url):
    before = scraped(metrics_url)
    assert before[sample(signals.EPISODES)] == 0 and set(of_sessions(before)) == set()
    client.post("/reset", json={"seed": 1})
    assert client.post("/step", json={"action": "reboot"}).status_code == 422
    entry = {"action": ActionName.CIRCUIT_BREAK, "service_id": Service.API_GATEWAY}
    for action in (RESTART, entry):
        client.post("/step", json=action)
    scrape = scraped(metrics_url)
    label_action = {signals.LABEL_ACTION: ActionName.RESTART}
    done = {signals.LABEL_SERVICE: Service.USER_DB, signals.LABEL_ACCEPTED: "true"}
    assert scrape[sample(signals.ACTIONS_TAKEN, **label_action, **done)] == 1
    refused = {signals.LABEL_SERVICE: Service.API_GATEWAY, signals.LABEL_ACCEPTED: "false"}
    label_action = {signals.LABEL_ACTION: ActionName.CIRCUIT_BREAK}
    assert scrape[sample(signals.ACTIONS_TAKEN, **label_action, **refused)] == 1
    session = {signals.LABEL_SESSION: "default"}
    assert scrape[sample(signals.RESTARTS_LEFT, **session)] == MAX_RESTARTS - 1
    assert scrape[sample(signals.COST_SPENT, **session)] == 1
    while not (last := client.post("/step", json=WAIT).json())["done"]:
        pass
    scrape = scraped(metrics_url)
    assert scrape[sample(signals.EPISODES)] == 1
    assert scrape[sample(signals.STEPS)] == MAX_STEPS
    assert scrape[sample(signals.SCORE + "_count")] == 1
    assert scrape[sample(signals.SCORE + "_sum")] == pytest.approx(last["reward"])
    assert scrape[sample(signals.STEP_DURATION + "_count")] == MAX_STEPS


def test_a_gauge_tells_the_truth(everything_logged, client, metrics_url):
    client.post("/reset", json={"seed": 1, "task_tier": Tier.MEDIUM})
    for _ in range(8):
        client.post("/step", json=WAIT)
    true = client.get("/state").json()["hidden"]["true"]
    met = {service: float(true[service]["sla_met"]) for service in Service}
    scrape = scraped(metrics_url)
    assert met == {
        service: scrape[
            sample(
                signals.SLA_MET,
                **{signals.LABEL_SESSION: "default", signals.LABEL_SERVICE: service},
            )
        ]
        for service in Service
    }
    assert set(met.values()) == {0.0, 1.0}


def test_an_episode_can_be_followed(everything_logged, client, metrics_url):
    session = {signals.LABEL_SESSION: "default"}
    for step in range(3):
        begun = client.post("/step", json=WAIT) if step else client.post("/reset", json={"seed": 1})
        scrape = scraped(metrics_url)
        assert scrape[sample(signals.EPISODE_STEP, **session)] == step
        hint = begun.json()["observation"]["reward_hint"]
        assert scrape[sample(signals.REWARD_HINT, **session)] == pytest.approx(hint)
    client.post("/reset", json={"seed": 2})
    assert scraped(metrics_url)[sample(signals.EPISODE_STEP, **session)] == 0


def test_every_action_is_counted_from_zero(everything_logged, client, metrics_url):
    scrape = scraped(metrics_url)
    counts = {
        labels: value for (name, labels), value in scrape.items() if name == signals.ACTIONS_TAKEN
    }
    assert set(counts.values()) == {0}
    assert {(signals.LABEL_SERVICE, service) for service in Service} < set().union(*counts)
    assert {(signals.LABEL_ACTION, ActionName.ROLLBACK)} < set().union(*counts)


def test_metrics_hold_nothing_hidden(everything_logged, client, metrics_url):
    for tier in (Tier.EASY, Tier.HARD):
        client.post("/reset", json={"seed": 1, "task_tier": tier})
        hidden = {*Tier, *FaultKind} - {FaultKind.NONE}
        words = set(re.findall(r"\w+", httpx.get(metrics_url).text))
        assert not words & hidden


def test_gauges_of_a_session_go_with_it(everything_logged, client, metrics_url):
    for name in ("a", "b"):
        client.post("/reset", json={"session_id": name})
    assert set(of_sessions(scraped(metrics_url))) == {"a", "b"}
    client.delete("/sessions/a")
    assert set(of_sessions(scraped(metrics_url))) == {"b"}
    client.delete("/sessions/b")
    assert client.get("/grader?tier=easy").status_code == 200
    with client.websocket_connect("/ws") as socket_:
        socket_.send_json({"type": "reset", "data": {}})
        socket_.receive_json()
        assert len(set(of_sessions(scraped(metrics_url)))) == 1
    until(lambda: not set(of_sessions(scraped(metrics_url))))
    assert scraped(metrics_url)[sample(signals.EPISODES)] == 4


def test_failures_of_the_world_are_counted(caplog):
    class Broken(WatchedSimulator):
        async def launch(self, seed):
            raise FaultNotInstalled("it", "gone")

    with TestClient(make_app(Workshop(Broken))) as client:
        (url,) = re.findall(r"metrics on (http://\S+)", caplog.text)
        for count in (1, 2):
            assert client.post("/reset").status_code == 503
            assert scraped(url)[sample(signals.BACKEND_FAILURES)] == count


def test_no_agent_finds_them(everything_logged, client, metrics_url):
    client.post("/reset")
    assert client.get("/metrics").status_code == 404
    assert str(httpx.URL(metrics_url).port) not in client.get("/openapi.json").text
    paths = client.get("/openapi.json").json()["paths"]
    for path in ("/", "/web", *paths):
        assert signals.EPISODES not in client.get(path).text


def test_the_port_closes_with_the_server(app, caplog):
    caplog.set_level("INFO", "server")
    with TestClient(app):
        (url,) = re.findall(r"metrics on (http://\S+)", caplog.text)
        assert scraped(url)
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_a_taken_port_is_done_without(workshop, caplog):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        app = create_app(Settings(metrics_port=port), workshop.make)
        with TestClient(app) as client:
            assert client.post("/reset").status_code == 200
    assert f"no /metrics: port {port} is taken" in caplog.text
