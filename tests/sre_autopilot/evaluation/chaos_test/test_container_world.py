"""What is killed in a stack, and what counts as left of it, over an engine of plain data."""

from collections.abc import Sequence
from typing import Any

import pytest

from sre_autopilot.evaluation.chaos_test.container_world import (
    BROKERS,
    KINDS,
    ContainerWorld,
)
from sre_autopilot.evaluation.chaos_test.world import EVERYTHING, ONE_REPLICA
from sre_autopilot.world.stack import (
    CPU_PERIOD_US,
    LABEL_MESH_ADDRESS,
    REPLICAS,
    Network,
    Part,
)
from sre_autopilot.world.topology import LIMITS, Service

ADDRESS = "10.0.0.1"
FIRST = [str(replica) for replica in REPLICAS if replica.index == 0]
STANDBY = next(str(replica) for replica in REPLICAS if replica.index)
DATABASE = FIRST[list(Service).index(Service.USER_DB)]


def container(name: str, running: bool, cores: float = 1.0) -> dict[str, Any]:
    return {
        "Id": f"id-of-{name}",
        "State": {"Running": running, "StartedAt": "yesterday"},
        "Config": {"Labels": {LABEL_MESH_ADDRESS: ADDRESS}},
        "HostConfig": {"CpuQuota": round(cores * CPU_PERIOD_US)},
        "NetworkSettings": {"Networks": {f"project_{Network.MESH}": {"IPAddress": ADDRESS}}},
    }


class FakeEngine:
    """A sound stack, until a test changes it."""

    def __init__(self) -> None:
        self.stack = {str(part): container(part, True) for part in Part} | {
            str(r): container(str(r), r.index == 0, LIMITS[r.service].cpu_limit_cores)
            for r in REPLICAS
        }
        self.killed: list[str] = []

    def containers(self) -> dict[str, dict[str, Any]]:
        return self.stack

    def kill(self, ids: Sequence[str]) -> None:
        self.killed += ids

    def server_url(self) -> str:
        return "http://nowhere.invalid"


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def world(engine: FakeEngine) -> ContainerWorld:
    return ContainerWorld(engine)


@pytest.mark.parametrize("kind", sorted(set(KINDS)))
def test_every_kind_has_victims_that_run(
    world: ContainerWorld, engine: FakeEngine, kind: str
) -> None:
    victims = world.victims(kind, 1)
    assert victims.names
    assert all(engine.stack[name]["State"]["Running"] for name in victims.names)
    world.kill(victims)
    assert engine.killed == [f"id-of-{name}" for name in victims.names]


@pytest.mark.parametrize("draw", range(5))
def test_everything_spares_one_broker(world: ContainerWorld, draw: int) -> None:
    victims = world.victims(EVERYTHING, draw)
    assert len(BROKERS - {*victims.names}) == 1
    assert len(victims.names) == len(FIRST) + len(Part) - 1
    assert victims.ends_server


def test_a_stopped_container_is_no_victim(world: ContainerWorld, engine: FakeEngine) -> None:
    engine.stack[Part.CHAOS]["State"]["Running"] = False
    assert world.victims(Part.CHAOS, 1).names == ()
    world.kill(world.victims(Part.CHAOS, 1))
    assert engine.killed == []


def test_a_sound_stack_is_well(world: ContainerWorld) -> None:
    assert world.unwell() == []


def test_a_victim_that_runs_on_is_a_residue(world: ContainerWorld, engine: FakeEngine) -> None:
    victims = world.victims(Part.TRAFFIC, 1)
    assert world.residues(victims) == [f"{Part.TRAFFIC} was not killed"]
    engine.stack[Part.TRAFFIC]["State"]["StartedAt"] = "today"
    assert world.residues(victims) == []


def cut_off(raw: dict[str, Any]) -> None:
    raw["NetworkSettings"]["Networks"].clear()


def throttle(raw: dict[str, Any]) -> None:
    raw["HostConfig"]["CpuQuota"] = 1000


@pytest.mark.parametrize("impair", [cut_off, throttle])
def test_impairments_are_residues_once_the_server_is_dead(
    world: ContainerWorld, engine: FakeEngine, impair: Any
) -> None:
    part, server = world.victims(ONE_REPLICA, 1), world.victims(Part.ORCHESTRATOR, 1)
    for name in (*part.names, *server.names):
        engine.stack[name]["State"]["StartedAt"] = "today"
    impair(engine.stack[DATABASE])
    assert world.residues(part) == [], "the episode goes on, and its fault with it"
    (residue,) = world.residues(server)
    assert DATABASE in residue
    assert world.unwell() == [residue]
    engine.stack[DATABASE]["State"]["Running"] = False
    assert world.residues(server) == []


def test_a_dead_part_and_a_running_standby_are_not_well(
    world: ContainerWorld, engine: FakeEngine
) -> None:
    engine.stack[Part.CHAOS]["State"]["Running"] = False
    engine.stack[STANDBY]["State"]["Running"] = True
    assert world.unwell() == [f"{Part.CHAOS} does not run", f"{STANDBY} runs"]
