"""Kills on real processes: nothing is left, and nothing outside of the world is touched."""

import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from sre_autopilot.errors import UnknownName
from sre_autopilot.evaluation.chaos_test.disk import SCENARIOS
from sre_autopilot.evaluation.chaos_test.outcomes import Outcome
from sre_autopilot.evaluation.chaos_test.proc import Process
from sre_autopilot.evaluation.chaos_test.process_parts import KINDS, Parts
from sre_autopilot.evaluation.chaos_test.process_world import Doomed, ProcessWorld, process_world
from sre_autopilot.evaluation.chaos_test.run import ChaosTest, Order
from sre_autopilot.evaluation.chaos_test.world import Victims
from tests.orchestrator.backends.conftest import until

pytestmark = pytest.mark.anyio
KILLS = 6


def sleeper(tmpdir: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "600"], env={**os.environ, "TMPDIR": str(tmpdir)})


def test_an_empty_world_has_no_parts_and_no_victims(tmp_path: Path) -> None:
    world = ProcessWorld(tmp_path)
    assert list(world.parts()) == []
    for kind in KINDS:
        assert world.victims(kind, 1) == Victims()
    assert world.residues(Victims()) == []
    assert world.record("none") == ("none", None)


def test_strays_of_the_world_are_named_and_killed_and_no_others(tmp_path: Path) -> None:
    world = ProcessWorld(tmp_path)
    world.tmp.mkdir()
    own, foreign = sleeper(world.tmp), sleeper(tmp_path)
    try:
        until(lambda: "sleep" in str(world.leftovers()))
        assert world.leftovers() == [f"process sleep ({own.pid})"]
        assert f"stray process sleep ({own.pid})" in world.unwell()
        (stray,) = world.parts().others
        world.kill(Victims(handles=(stray,)))
        assert own.wait() == -signal.SIGKILL
        assert world.leftovers() == []
        assert foreign.poll() is None
    finally:
        for process in (own, foreign):
            process.kill()
            process.wait()


def test_a_reset_that_went_on_needs_dead_victims_and_a_whole_mesh(tmp_path: Path) -> None:
    world = ProcessWorld(tmp_path)
    world.tmp.mkdir()
    process = sleeper(world.tmp)
    try:
        until(lambda: world.parts().others)
        doomed = Doomed(world.parts().others, frozenset(), frozenset(), folder=False)
        victim = f"process sleep ({process.pid})"
        left = world.residues(Victims(doomed=doomed), renewed=True)
        assert left == [victim, *world.unwell()]
        assert f"stray {victim}" in left
        of_replicas = replace(doomed, all_but=None)
        assert world.residues(Victims(doomed=of_replicas), renewed=True) == [victim]
    finally:
        process.kill()
        process.wait()


def test_a_process_that_took_a_dead_ones_pid_is_not_killed(tmp_path: Path) -> None:
    process = sleeper(tmp_path)
    try:
        ProcessWorld(tmp_path).kill(Victims(handles=(Process(process.pid, "0"),)))
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_parts_are_told_by_parent_and_program() -> None:
    assert list(Parts.of([Process(os.getpid(), "0")], None)) == [Process(os.getpid(), "0")]


async def test_an_unknown_kind_is_named_with_the_valid_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="zygote"):
        Order(1, 1, ("no-such-part",)).kinds_of(ProcessWorld(tmp_path))


@pytest.mark.live
@pytest.mark.timeout(600)
async def test_kills_leave_nothing(tmp_path: Path) -> None:
    outcomes: list[Outcome] = []
    test = ChaosTest(Order(KILLS, 3), lambda: process_world(tmp_path))
    await test.run(outcomes.append)
    assert test.good, test.as_json("process")
    assert outcomes == test.outcomes
    assert len(outcomes) == KILLS
    assert [disk.scenario for disk in test.disk] == [*SCENARIOS]
    assert list(tmp_path.iterdir()) == []
