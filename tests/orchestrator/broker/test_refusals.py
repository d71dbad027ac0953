"""The broker refuses all but its verbs, and says and counts why."""

import logging

import pytest
from starlette.testclient import TestClient

from orchestrator.broker.app import MAX_BODY_BYTES, Refusal
from orchestrator.broker.docker_engine import ContainerMissing, EngineFailed, EngineSilent
from orchestrator.broker.verbs import VERBS
from sre_autopilot.world.stack import BrokerVerb, Part
from tests.orchestrator.broker.api import DB, NOTHING, USERS, counted, order
from tests.orchestrator.broker.fake_docker import PaperEngine

UNKNOWN = (
    Part.ORCHESTRATOR,
    Part.PROMETHEUS,
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
    assert answer.json()["detail"].endswith("valid values: start, restart, stop, repair")
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
    assert "refused reason=unknown_container method=POST" in record.getMessage()
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
