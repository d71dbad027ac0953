"""Killed parts come back at once, replicas later, and nothing comes back that was stopped."""

import asyncio
import logging
from itertools import pairwise

import pytest

from orchestrator.broker.docker_engine import ContainerMissing, EngineFailed, EngineSilent
from orchestrator.broker.reviver import (
    LONGEST_PAUSE_S,
    REPLICA_GRACE_S,
    STEADY_S,
    RestartController,
)
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.stack import REPLICAS, Part
from sre_autopilot.world.topology import LIMITS, Service
from tests.orchestrator.broker.fake_docker import PaperEngine

DB = str(ReplicaId(Service.USER_DB, 0))
STANDBY = str(ReplicaId(Service.USER_DB, 1))
PARTS = tuple(part for part in Part if part is not Part.TRAFFIC)
KILLED = 137


class Watched:
    """A controller that looks once a second of its own clock."""

    def __init__(self) -> None:
        self.engine = PaperEngine.of([*map(str, REPLICAS), *Part])
        self.now_s = 1000.0
        self.revived: list[str] = []
        self.controller = RestartController(self.engine, self.revived.append, lambda: self.now_s)

    def run_for(self, seconds: float) -> None:
        for _ in range(round(seconds)):
            self.controller.check_all()
            self.now_s += 1.0


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.mark.parametrize("part", PARTS)
def test_a_killed_part_is_restarted_at_the_second_check(watched: Watched, part: Part) -> None:
    watched.engine.end(part, KILLED)
    watched.run_for(2)
    assert watched.revived == [part]
    assert watched.engine.calls == [("start", part)]


@pytest.mark.parametrize("name", [DB, Part.TRAFFIC])
def test_replicas_are_left_to_the_orchestrator_first(watched: Watched, name: str) -> None:
    watched.engine.end(name, KILLED)
    watched.run_for(REPLICA_GRACE_S)
    assert watched.revived == []
    watched.run_for(1)
    assert watched.revived == [name]


def test_a_replica_comes_back_with_its_own_share_of_cpu(watched: Watched) -> None:
    """It may have died while it stood still."""
    watched.engine.end(DB, KILLED)
    watched.run_for(REPLICA_GRACE_S + 1)
    limit_cores = LIMITS[Service.USER_DB].cpu_limit_cores
    assert watched.engine.calls == [("give_cpu", DB, limit_cores), ("start", DB)]


def test_another_exit_starts_the_grace_again(watched: Watched) -> None:
    watched.engine.end(DB, KILLED)
    watched.run_for(10)
    watched.engine.start(watched.engine.inspect(DB))
    watched.engine.end(DB, KILLED)
    watched.run_for(REPLICA_GRACE_S)
    assert watched.revived == []


@pytest.mark.parametrize("exit_code", [0, 1, 143])
@pytest.mark.parametrize("name", [DB, *PARTS])
def test_a_container_that_exited_by_itself_is_not_restarted(
    watched: Watched, name: str, exit_code: int
) -> None:
    watched.engine.end(name, exit_code)
    watched.run_for(40)
    assert watched.engine.calls == []


@pytest.mark.parametrize("name", [DB, Part.TRAFFIC, Part.CHAOS])
def test_a_container_killed_by_its_stop_is_not_restarted(watched: Watched, name: str) -> None:
    watched.engine.end(name, KILLED, stopped=True)
    watched.run_for(40)
    assert watched.engine.calls == []
    assert watched.engine.asked == 1


def test_a_stop_that_is_recorded_late_counts(watched: Watched) -> None:
    watched.engine.end(Part.CHAOS, KILLED)
    watched.run_for(1)
    watched.engine.stopped.add(Part.CHAOS)
    watched.run_for(10)
    assert watched.revived == []


def test_a_container_stopped_once_and_killed_in_its_next_run_is_restarted(watched: Watched) -> None:
    watched.engine.end(Part.CHAOS, KILLED, stopped=True)
    watched.run_for(5)
    watched.engine.start(watched.engine.inspect(Part.CHAOS))
    watched.engine.end(Part.CHAOS, KILLED)
    watched.run_for(2)
    assert watched.revived == [Part.CHAOS]


def test_standbys_are_never_touched(watched: Watched) -> None:
    for replica in REPLICAS:
        if replica.index == 1:
            watched.engine.end(str(replica), KILLED)
    watched.run_for(60)
    assert watched.engine.calls == []
    assert STANDBY in watched.engine.containers


def test_running_containers_are_never_touched(watched: Watched) -> None:
    watched.run_for(60)
    assert watched.engine.calls == []
    assert watched.engine.asked == 0


def revival_times(watched: Watched, seconds: int) -> list[float]:
    """Seconds after which a part that dies at once was brought back."""
    began_s, times = watched.now_s, []
    for _ in range(seconds):
        before = len(watched.revived)
        watched.run_for(1)
        if len(watched.revived) > before:
            times.append(watched.now_s - 1.0 - began_s)
            watched.engine.end(Part.CHAOS, KILLED)
    return times


def test_a_container_that_exits_at_once_is_restarted_with_growing_pauses(watched: Watched) -> None:
    watched.engine.end(Part.CHAOS, KILLED)
    times = revival_times(watched, 200)
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses[:5] == [2.0, 3.0, 5.0, 9.0, 17.0]  # a look, and then 1, 2, 4, 8, 16 s
    assert set(pauses[5:]) == {LONGEST_PAUSE_S + 1.0}


def test_a_steady_run_resets_the_pause(watched: Watched) -> None:
    watched.engine.end(Part.CHAOS, KILLED)
    revival_times(watched, 12)
    watched.engine.start(watched.engine.inspect(Part.CHAOS))
    watched.run_for(STEADY_S)
    watched.engine.end(Part.CHAOS, KILLED)
    before = len(watched.revived)
    watched.run_for(2)
    assert len(watched.revived) == before + 1


def test_a_failed_start_is_repeated_with_growing_pauses(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    watched.engine.end(Part.CHAOS, KILLED)
    watched.engine.broken["start"] = EngineFailed("address in use")
    with caplog.at_level(logging.WARNING, "orchestrator"):
        watched.run_for(20)
    assert len([m for m in caplog.messages if "chaos: address in use" in m]) == 5  # 1 3 7 15
    watched.engine.now(Part.CHAOS, exit_code=128)  # what a failed start may leave behind
    del watched.engine.broken["start"]
    watched.run_for(20)
    assert watched.revived == [Part.CHAOS]


def test_a_failed_restart_does_not_delay_the_others(watched: Watched) -> None:
    watched.engine.end(DB, KILLED)
    watched.engine.end(Part.PROMETHEUS, KILLED)
    watched.engine.broken["give_cpu"] = EngineFailed("no cgroup")
    watched.run_for(REPLICA_GRACE_S + 5)
    assert watched.revived == [Part.PROMETHEUS]


@pytest.mark.parametrize("error", [EngineSilent("no socket"), ContainerMissing("paper", ["x"])])
def test_an_engine_that_does_not_answer_is_asked_again(
    watched: Watched, error: EngineFailed
) -> None:
    watched.engine.end(Part.CHAOS, KILLED)
    watched.engine.broken["listed"] = error
    watched.run_for(5)
    del watched.engine.broken["listed"]
    watched.run_for(2)
    assert watched.revived == [Part.CHAOS]


@pytest.mark.anyio
async def test_the_controller_survives_errors_until_it_is_cancelled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine = PaperEngine.of(Part)
    engine.broken["listed"] = KeyError("State")  # type: ignore[assignment]
    looked = asyncio.Event()
    controller = RestartController(engine, lambda _: looked.set(), check_every_s=0.01)
    controlling = asyncio.create_task(controller.run())
    async with asyncio.timeout(10):
        while not caplog.records:
            await asyncio.sleep(0)
        engine.end(Part.CHAOS, KILLED)
        engine.broken.clear()
        await looked.wait()
    controlling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await controlling
