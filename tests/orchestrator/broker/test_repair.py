"""A repair undoes what was changed from outside, and nothing else."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from orchestrator.broker.docker_engine import EngineFailed
from orchestrator.broker.repair import intended, repair
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.stack import RUNTIME_MEMORY_MB, Network, Part
from sre_autopilot.world.topology import LIMITS, Service
from tests.orchestrator.broker.fake_docker import CONTROL_ADDRESS, PaperEngine

REPLICA = str(ReplicaId(Service.PAYMENT_GATEWAY, 0))
LIMIT = LIMITS[Service.PAYMENT_GATEWAY]
RELIED_ON = (REPLICA, Part.TRAFFIC, Part.CHAOS, Part.BROKER, Part.BROKER_STANDBY)


@pytest.mark.parametrize("name", RELIED_ON)
def test_a_container_as_it_was_created_is_left_alone(engine: PaperEngine, name: str) -> None:
    assert repair(engine, name) == []
    assert engine.calls == []


@pytest.mark.parametrize(
    ("name", "damage", "order"),
    [
        (REPLICA, {"paused": True}, "unpause"),
        (Part.CHAOS, {"paused": True}, "unpause"),
        (REPLICA, {"addresses": {Network.TELEMETRY: CONTROL_ADDRESS}}, "connect"),
        (Part.TRAFFIC, {"addresses": {Network.MESH: "10.231.0.10"}}, "connect"),
        (Part.BROKER, {"addresses": {}}, "connect"),
        (REPLICA, {"cpu_cores": 0.01}, "give_cpu"),
        (REPLICA, {"cpu_cores": 8.0}, "give_cpu"),
        (Part.TRAFFIC, {"cpu_cores": 0.1}, "give_cpu"),
        (REPLICA, {"memory_limit_mb": 64.0}, "give_memory"),
        (REPLICA, {"memory_limit_mb": 0.0, "running": False}, "give_memory"),
    ],
)
def test_repair_undoes_one_change_by_one_order(
    engine: PaperEngine, name: str, damage: dict[str, Any], order: str
) -> None:
    engine.now(name, **damage)
    (said,) = repair(engine, name)
    assert said.startswith("it ")
    assert engine.verbs() == [order]
    assert repair(engine, name) == []


def test_all_damage_of_one_container_is_undone_at_once(engine: PaperEngine) -> None:
    engine.now(REPLICA, paused=True, addresses={}, cpu_cores=0.01, memory_limit_mb=64.0)
    assert len(repair(engine, REPLICA)) == 5
    mended = engine.inspect(REPLICA)
    assert (mended.paused, mended.cpu_cores) == (False, LIMIT.cpu_limit_cores)
    assert mended.memory_limit_mb == LIMIT.memory_limit_mb + RUNTIME_MEMORY_MB
    assert set(mended.addresses) == {Network.MESH, Network.TELEMETRY}


def test_a_stopped_one_gets_its_cpu_when_it_starts(engine: PaperEngine) -> None:
    engine.now(REPLICA, running=False, cpu_cores=1.0)
    assert repair(engine, REPLICA) == []


def test_repair_that_the_engine_refuses_is_an_error(engine: PaperEngine) -> None:
    engine.now(REPLICA, memory_limit_mb=64.0)
    engine.broken["give_memory"] = EngineFailed("device or resource busy")
    with pytest.raises(EngineFailed, match="resource busy"):
        repair(engine, REPLICA)


@pytest.mark.parametrize("name", [REPLICA, Part.CHAOS])
def test_the_answer_says_what_was_repaired(
    client: TestClient, engine: PaperEngine, name: str
) -> None:
    engine.now(name, paused=True)
    answer = client.post(f"/containers/{name}/repair", json={})
    assert answer.status_code == 200, answer.text
    assert answer.json()["repaired"] == ["it was paused"]
    assert client.post(f"/containers/{name}/repair").json()["repaired"] == []


def test_parts_have_no_other_verb(client: TestClient) -> None:
    assert client.post(f"/containers/{Part.CHAOS}/restart").status_code == 404


def test_limits_of_parts_that_measure_nothing_are_not_watched() -> None:
    for part in (Part.CHAOS, Part.BROKER, Part.BROKER_STANDBY):
        intent = intended(part)
        assert (intent.cpu_limit_cores, intent.memory_limit_mb) == (None, None)
        assert list(intent.networks) == [Network.CONTROL]
