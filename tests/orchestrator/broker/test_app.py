"""The broker does what its verbs say, and logs it."""

import logging
import re
import time
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from orchestrator.broker.app import create_app
from orchestrator.broker.verbs import VERBS
from services.runtime.authorization import bearer
from sre_autopilot.world.stack import STALLED_CPU_SHARE, Network, Part
from tests.orchestrator.broker.api import DB, LIMIT_CORES, USERS, WAIT_S, order
from tests.orchestrator.broker.fake_docker import ADDRESS, CONTROL_ADDRESS, PaperEngine


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
        "repaired": [],
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
    assert [
        bool(re.fullmatch(rf"carried out container={DB} verb=restart duration_ms=\d+", line))
        for line in caplog.messages
    ] == [True]


def test_the_restart_controller_runs_with_the_app_and_counts_restarts(engine: PaperEngine) -> None:
    engine.containers[Part.CHAOS] = replace(engine.inspect(USERS), id="id of chaos")
    engine.end(Part.CHAOS, 137)
    with TestClient(create_app(engine)) as client:
        assert engine.started.wait(WAIT_S)
        deadline_s = time.monotonic() + WAIT_S
        while 'sre_broker_revivals_total{container="chaos"} 1.0' not in client.get("/metrics").text:
            assert time.monotonic() < deadline_s
    assert engine.calls == [("start", Part.CHAOS)]


def test_without_the_token_nobody_orders_and_all_may_ask_for_health(engine: PaperEngine) -> None:
    with TestClient(create_app(engine, token="token")) as client:
        for method, path in (("GET", "/containers"), ("POST", f"/containers/{DB}/restart")):
            assert client.request(method, path).status_code == 401
        assert client.get("/metrics").status_code == 401
        assert client.get("/healthz").status_code == 200
        assert client.get("/containers", headers=bearer("token")).status_code == 200
    assert engine.containers[DB].running
