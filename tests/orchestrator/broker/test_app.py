"""The broker does what its verbs say, refuses everything else, and says and counts what it did."""

import logging
import re
import time
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from orchestrator.broker.app import MAX_BODY_BYTES, Refusal, create_app
from orchestrator.broker.docker_engine import ContainerMissing, EngineFailed, EngineSilent
from orchestrator.broker.verbs import VERBS
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.signals import BROKER_REFUSALS
from sre_autopilot.world.stack import STALLED_CPU_SHARE, BrokerVerb, Network, Part
from sre_autopilot.world.topology import LIMITS, Service
from tests.orchestrator.broker.fake_docker import ADDRESS, CONTROL_ADDRESS, PaperEngine

DB = str(ReplicaId(Service.USER_DB, 0))
USERS = str(Part.TRAFFIC)
WAIT_S = 10.0
LIMIT_CORES = LIMITS[Service.USER_DB].cpu_limit_cores
NOTHING = ("start", "restart", "connect", "disconnect")


@pytest.fixture
def engine() -> PaperEngine:
    return PaperEngine.of()


@pytest.fixture
def client(engine: PaperEngine) -> TestClient:
    """Without the app's lifespan: no controller runs."""
    return TestClient(create_app(engine))


def order(client: TestClient, verb: str, **arguments: float) -> dict[str, object]:
    answer = client.post(f"/containers/{DB}/{verb}", json=arguments)
    assert answer.status_code == 200, answer.text
    state: dict[str, object] = answer.json()
    assert state == client.get(f"/containers/{DB}").json()
    return state


def counted(client: TestClient) -> dict[str, float]:
    return {
        sample.labels["reason"]: sample.value
        for family in text_string_to_metric_families(client.get("/metrics").text)
        for sample in family.samples
        if sample.name == BROKER_REFUSALS
    }


def test_the_broker_is_healthy(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "healthy"}


def test_the_list_holds_the_replicas_and_the_traffic(
    client: TestClient, engine: PaperEngine
) -> None:
    engine.end(DB, 0)
    engine.containers[Part.CHAOS] = engine.containers[USERS]
    listed = client.get("/containers").json()["containers"]
    assert listed.keys() == VERBS.keys()
    assert [name for name, container in listed.items() if not container["running"]] == [DB]


def test_a_state_says_what_the_engine_knows(client: TestClient, engine: PaperEngine) -> None:
    assert client.get(f"/containers/{DB}").json() == {
        "name": DB,
        "running": True,
        "exit_code": None,
        "oom_killed": False,
        "started_at": "start 0",
        "on_mesh": True,
        "mesh_address": ADDRESS,
        "control_address": CONTROL_ADDRESS,
        "cpu_share": 0.5 / LIMIT_CORES,
    }
    engine.end(DB, 137)
    engine.now(DB, oom_killed=True, addresses={Network.TELEMETRY: None})
    state = client.get(f"/containers/{DB}").json()
    assert (state["running"], state["exit_code"], state["oom_killed"]) == (False, 137, True)
    assert (state["on_mesh"], state["control_address"]) == (False, None)


def test_the_traffic_has_no_cpu_share(client: TestClient) -> None:
    assert client.get(f"/containers/{USERS}").json()["cpu_share"] == 1.0


def test_start_gives_cpu_first(client: TestClient, engine: PaperEngine) -> None:
    engine.end(DB, 0)
    state = order(client, "start")
    assert engine.calls == [("give_cpu", DB, 1.0), ("start", DB)]
    assert (state["running"], state["cpu_share"]) == (True, 1.0 / LIMIT_CORES)


def test_a_running_container_is_not_started(client: TestClient, engine: PaperEngine) -> None:
    assert order(client, "start")["cpu_share"] == 1.0
    assert engine.calls == []


@pytest.mark.parametrize("runs", [True, False])
def test_restart_starts_anew(client: TestClient, engine: PaperEngine, runs: bool) -> None:
    if not runs:
        engine.end(DB, 1)
    assert order(client, "restart")["started_at"] != "start 0"
    assert engine.calls == [("give_cpu", DB, 1.0), ("restart", DB)]


def test_stop_gives_the_grace(client: TestClient, engine: PaperEngine) -> None:
    assert order(client, "stop", grace_s=0.5)["running"] is False
    order(client, "stop", grace_s=10)
    assert engine.calls == [("stop", DB, 0.5)]


def test_a_partition_and_its_end(client: TestClient, engine: PaperEngine) -> None:
    order(client, "connect")
    assert order(client, "disconnect")["on_mesh"] is False
    order(client, "disconnect")
    assert order(client, "connect")["on_mesh"] is True
    aliases = (f"{DB}.mesh", "user_db.mesh")
    assert engine.calls == [("disconnect", DB), ("connect", DB, *aliases)]


def test_a_limit_is_a_share_of_the_services_own(client: TestClient, engine: PaperEngine) -> None:
    assert order(client, "limit", cpu_share=STALLED_CPU_SHARE)["cpu_share"] == STALLED_CPU_SHARE
    assert order(client, "limit", cpu_share=1)["cpu_share"] == 1.0
    assert engine.calls[-1] == ("give_cpu", DB, LIMIT_CORES)


def test_the_users_start_and_stop_with_the_cpu_they_have(
    client: TestClient, engine: PaperEngine
) -> None:
    for verb, body in (("restart", {}), ("stop", {"grace_s": 0}), ("start", {})):
        assert client.post(f"/containers/{USERS}/{verb}", json=body).status_code == 200
    assert engine.verbs() == ["restart", "stop", "start"]


def test_a_verb_is_one_line_of_the_log(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "orchestrator"):
        order(client, "restart")
    assert [bool(re.fullmatch(rf"{DB} restart: \d+ ms", line)) for line in caplog.messages] == [
        True
    ]


UNKNOWN = (
    Part.ORCHESTRATOR,
    Part.BROKER,
    "user_db-2",
    "user_db",
    "USER_DB-0",
    "..%2Fx",
    "%2e%2e",
    "user_db-0%0A",
    "0123456789ab",
    "user_db-0%2Fjson",
    "a" * 5000,
)


@pytest.mark.parametrize("name", UNKNOWN)
def test_any_other_name_is_refused(client: TestClient, engine: PaperEngine, name: str) -> None:
    for answer in (
        client.get(f"/containers/{name}"),
        client.post(f"/containers/{name}/restart"),
    ):
        assert answer.status_code in (404, 405)
    assert engine.calls == []


def test_an_unknown_name_is_refused_with_the_valid_ones(client: TestClient) -> None:
    answer = client.post("/containers/orchestrator/restart")
    assert answer.status_code == 404
    assert all(name in answer.json()["detail"] for name in VERBS)
    assert counted(client) == {Refusal.UNKNOWN_CONTAINER: 1}


@pytest.mark.parametrize("verb", ["kill", "exec", "create", "archive", "RESTART", "restart%20"])
def test_any_other_verb_is_refused(client: TestClient, engine: PaperEngine, verb: str) -> None:
    answer = client.post(f"/containers/{DB}/{verb}")
    assert answer.status_code == 404
    assert all(verb in answer.json()["detail"] for verb in BrokerVerb)
    assert counted(client) == {Refusal.UNKNOWN_VERB: 1}
    assert engine.calls == []


@pytest.mark.parametrize("verb", sorted(set(BrokerVerb) - set(VERBS[USERS])))
def test_the_users_take_no_other_verb(
    client: TestClient, engine: PaperEngine, verb: BrokerVerb
) -> None:
    answer = client.post(f"/containers/{USERS}/{verb}", json={})
    assert answer.status_code == 404
    assert answer.json()["detail"].endswith("valid values: start, restart, stop")
    assert engine.calls == []


BAD_BODIES = (
    *((verb, body, "body") for verb in NOTHING for body in ("[]", "null", "1", "{", '"restart"')),
    *((verb, '{"image": "x"}', "image") for verb in BrokerVerb if verb in NOTHING),
    ("stop", "", "grace_s"),
    ("stop", '{"grace_s": -0.1}', "grace_s"),
    ("stop", '{"grace_s": 10.1}', "grace_s"),
    ("stop", '{"grace_s": NaN}', "grace_s"),
    ("stop", '{"grace_s": "1"}', "grace_s"),
    ("stop", '{"grace_s": true}', "grace_s"),
    ("stop", '{"grace_s": 1, "signal": 9}', "signal"),
    ("limit", "{}", "cpu_share"),
    ("limit", '{"cpu_share": 0}', "cpu_share"),
    ("limit", '{"cpu_share": 1.01}', "cpu_share"),
    ("limit", '{"cpu_share": NaN}', "cpu_share"),
    ("limit", '{"cpu_share": Infinity}', "cpu_share"),
    ("limit", '{"cpu_share": null}', "cpu_share"),
    ("limit", '{"cpu_share": [1]}', "cpu_share"),
    ("limit", "\xff", "body"),
)


@pytest.mark.parametrize("bad", BAD_BODIES)
def test_a_bad_body_is_refused_with_its_field(
    client: TestClient, engine: PaperEngine, bad: tuple[str, str, str]
) -> None:
    verb, body, field = bad
    answer = client.post(f"/containers/{DB}/{verb}", content=body.encode("latin-1"))
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(f"{field}: ")
    assert counted(client) == {Refusal.BAD_BODY: 1}
    assert engine.calls == []


def test_a_long_body_is_not_read(client: TestClient, engine: PaperEngine) -> None:
    answer = client.post(f"/containers/{DB}/start", content=b" " * (MAX_BODY_BYTES + 1))
    assert answer.status_code == 413
    assert counted(client) == {Refusal.BAD_BODY: 1}


@pytest.mark.parametrize(
    ("call", "status", "reason"),
    [
        (("GET", f"/containers/{DB}/restart"), 405, Refusal.WRONG_METHOD),
        (("DELETE", f"/containers/{DB}"), 405, Refusal.WRONG_METHOD),
        (("POST", "/containers"), 405, Refusal.WRONG_METHOD),
        (("GET", "/containers/"), 404, Refusal.UNKNOWN_PATH),
        (("POST", "/containers/create"), 405, Refusal.WRONG_METHOD),
        (("GET", "/v1.41/containers/json"), 404, Refusal.UNKNOWN_PATH),
        (("POST", f"/containers/{DB}/restart/now"), 404, Refusal.UNKNOWN_PATH),
        (("GET", "/docs"), 404, Refusal.UNKNOWN_PATH),
        (("GET", "/openapi.json"), 404, Refusal.UNKNOWN_PATH),
    ],
)
def test_no_other_route_is_there(
    client: TestClient, call: tuple[str, str], status: int, reason: Refusal
) -> None:
    answer = client.request(*call)
    assert answer.status_code == status
    assert ("allow" in answer.headers) is (status == 405)
    assert counted(client) == {reason: 1}


def test_a_refusal_is_logged_on_one_line(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    client.post("/containers/x%0AINFO%20forged/restart")
    (record,) = [r for r in caplog.records if r.name.startswith("orchestrator")]
    assert record.levelno == logging.WARNING
    assert "refused POST" in record.getMessage()
    assert "\n" not in record.getMessage()


@pytest.mark.parametrize(
    "failure",
    [
        (EngineFailed("no space left"), 502),
        (EngineSilent("no such socket"), 503),
        (ContainerMissing("paper", [DB]), 503),
    ],
)
@pytest.mark.parametrize("verb", ["restart", "disconnect"])
def test_failures_of_the_engine_are_answered(
    client: TestClient, engine: PaperEngine, verb: str, failure: tuple[EngineFailed, int]
) -> None:
    error, status = failure
    engine.broken[verb] = error
    answer = client.post(f"/containers/{DB}/{verb}")
    assert (answer.status_code, answer.json()) == (status, {"detail": str(error)})
    assert counted(client) == {}
    del engine.broken[verb]
    order(client, verb)


def test_a_missing_stack_is_reported(client: TestClient, engine: PaperEngine) -> None:
    del engine.containers[DB]
    for answer in (
        client.get("/containers"),
        client.get(f"/containers/{DB}"),
        client.post(f"/containers/{DB}/start"),
    ):
        assert answer.status_code == 503
        assert DB in answer.json()["detail"]


def test_the_restart_controller_runs_with_the_app_and_counts_restarts(engine: PaperEngine) -> None:
    engine.containers[Part.CHAOS] = replace(engine.inspect(USERS), id="id of chaos")
    engine.end(Part.CHAOS, 137)
    with TestClient(create_app(engine)) as client:
        assert engine.started.wait(WAIT_S)
        deadline_s = time.monotonic() + WAIT_S
        while 'sre_broker_revivals_total{container="chaos"} 1.0' not in client.get("/metrics").text:
            assert time.monotonic() < deadline_s
    assert engine.calls == [("start", Part.CHAOS)]
