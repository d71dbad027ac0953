"""Replicas as processes: launched, started anew, stopped, dead."""

import sys
import time
from pathlib import Path

import pytest

from orchestrator.backends.process.directory import MeshDirectory
from orchestrator.backends.process.supervisor import Supervisor
from orchestrator.errors import BackendError, MeshNotReady
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.topology import USERS, Service
from sre_autopilot.world.vocabulary import Release
from tests.orchestrator.backends.conftest import Mesh, alive, children, until, until_async
from tests.orchestrator.backends.process import stand_in

pytestmark = pytest.mark.anyio

DB = ReplicaId(Service.USER_DB, 0)
STANDBY = ReplicaId(Service.USER_DB, 1)
GATEWAY = ReplicaId(Service.API_GATEWAY, 0)
SEED = 7


def zygote_pid(mesh: Mesh) -> int:
    assert mesh.supervisor._zygote is not None
    return mesh.supervisor._zygote.pid


def pids(mesh: Mesh) -> set[int]:
    return set(children(zygote_pid(mesh)))


async def test_a_launch_serves_one_replica_of_each_service_and_the_users(mesh: Mesh) -> None:
    await mesh.launch(SEED)
    names = sorted(process.name for process in mesh.handles() if process.serving)
    assert names == sorted([USERS, *(f"{service}-0" for service in Service)])
    assert mesh.dead() == {}


async def test_another_launch_replaces_everything_but_the_zygote(mesh: Mesh) -> None:
    await mesh.launch(SEED)
    await mesh.start(STANDBY, Release.CURRENT)
    zygote, before = zygote_pid(mesh), pids(mesh)
    await mesh.launch(SEED + 1)
    assert zygote_pid(mesh) == zygote
    assert len(pids(mesh)) == len(Service) + 1
    assert not pids(mesh) & before
    assert await mesh.serving(STANDBY) is None


@pytest.mark.live
async def test_a_warm_launch_is_quick(mesh: Mesh) -> None:
    await mesh.launch(SEED)
    started_s = time.monotonic()
    await mesh.launch(SEED)
    assert time.monotonic() - started_s < 2.0


async def test_a_restart_gives_a_new_process_and_leaves_the_others(mesh: Mesh) -> None:
    await mesh.launch(SEED)
    url, before = await mesh.url(DB), pids(mesh)
    await mesh.restart(DB)
    await mesh.ready(frozenset({DB}))
    assert await mesh.url(DB) != url
    assert len(pids(mesh) & before) == len(before) - 1
    assert len(pids(mesh)) == len(before)


async def test_a_replica_keeps_its_release_over_a_restart(mesh: Mesh) -> None:
    await mesh.launch(SEED)
    await mesh.start(STANDBY, Release.LAST_GOOD)
    await mesh.restart(STANDBY)
    assert (await mesh.state(STANDBY))["release"] == Release.LAST_GOOD
    assert (await mesh.state(DB))["release"] == Release.CURRENT


async def test_starting_what_runs_starts_it_anew_on_the_release(mesh: Mesh) -> None:
    await mesh.launch(SEED)
    count = len(pids(mesh))
    await mesh.start(DB, Release.LAST_GOOD)
    assert (await mesh.state(DB))["release"] == Release.LAST_GOOD
    assert len(pids(mesh)) == count


async def test_a_stopped_replica_is_gone_but_not_dead(mesh: Mesh) -> None:
    await mesh.launch(SEED)
    before = pids(mesh)
    await mesh.stop(DB)
    await mesh.stop(DB)
    await until_async(lambda: len(pids(mesh)) == len(before) - 1)
    assert mesh.dead() == {}
    assert await mesh.serving(DB) is None
    with pytest.raises(MeshNotReady, match=str(DB)):
        await mesh.ready(frozenset({DB, GATEWAY}))


async def test_a_stopped_replica_is_gone_before_it_starts_again(mesh: Mesh) -> None:
    await mesh.launch(SEED)
    before = pids(mesh)
    await mesh.stop(DB)
    await mesh.start(DB, Release.LAST_GOOD)
    assert (await mesh.state(DB))["release"] == Release.LAST_GOOD
    assert len(pids(mesh)) == len(before)
    assert len(pids(mesh) - before) == 1


async def test_a_mesh_is_launched_anew_while_a_replica_is_leaving(mesh: Mesh) -> None:
    await mesh.launch(SEED)
    before = pids(mesh)
    await mesh.stop(DB)
    await mesh.launch(SEED)
    assert not any(map(alive, before))


async def test_an_exited_replica_is_dead_until_it_is_started_again(mesh: Mesh) -> None:
    await mesh.launch(SEED)
    await mesh.die(DB, 7)
    assert mesh.dead() == {DB: 7}
    assert await mesh.serving(DB) is None
    await mesh.ready(frozenset({DB, GATEWAY}))
    await mesh.start(DB, Release.CURRENT)
    assert mesh.dead() == {}
    await mesh.ready(frozenset({DB}))
    assert await mesh.serving(DB) is not None


async def test_a_dead_replica_may_be_stopped_and_is_dead_no_more(mesh: Mesh) -> None:
    await mesh.launch(SEED)
    await mesh.die(DB, 137)
    await mesh.stop(DB)
    assert mesh.dead() == {}


async def test_a_crash_at_launch_is_reported_with_the_end_of_its_log(mesh: Mesh) -> None:
    with pytest.raises(MeshNotReady, match=r"exit code 1(.|\n)*the disk is on fire") as caught:
        await mesh.launch(stand_in.CRASHES)
    assert str(DB) in caught.value.what
    assert str(GATEWAY) not in caught.value.what


async def test_a_failed_launch_leaves_a_mesh_that_can_be_launched(mesh: Mesh) -> None:
    with pytest.raises(MeshNotReady):
        await mesh.launch(stand_in.CRASHES)
    await mesh.launch(SEED)
    assert len(pids(mesh)) == len(Service) + 1


async def test_waiting_for_readiness_is_bounded(tmp_path: Path) -> None:
    mesh = Mesh(MeshDirectory(tmp_path), ready_timeout_s=0.8)
    try:
        with pytest.raises(MeshNotReady, match=f"{DB}.* within 0.8 s"):
            await mesh.launch(stand_in.NEVER_READY)
        before = pids(mesh)
    finally:
        await mesh.aclose()
    assert not any(map(alive, before))


async def test_a_zygote_that_cannot_start_is_reported_with_the_end_of_its_log(
    tmp_path: Path,
) -> None:
    mesh = Mesh(MeshDirectory(tmp_path))
    hopeless = (sys.executable, "-c", "raise SystemExit('there are no services')")
    mesh._supervisor = mesh.supervisor = Supervisor(mesh._directory, hopeless)
    with pytest.raises(BackendError, match="there are no services"):
        await mesh.launch(SEED)
    await mesh.aclose()


async def test_without_its_zygote_a_mesh_is_dead_and_can_be_launched(mesh: Mesh) -> None:
    await mesh.launch(SEED)
    zygote, before = mesh.supervisor._zygote, pids(mesh)
    assert zygote is not None
    zygote.kill()
    await until_async(lambda: len(mesh.dead()) == len(Service))
    until(lambda: not any(map(alive, before)))
    with pytest.raises(BackendError, match="zygote"):
        await mesh.start(DB, Release.CURRENT)
    await mesh.launch(SEED)
    assert len(pids(mesh)) == len(Service) + 1


async def test_a_launch_right_after_its_zygote_was_killed_starts_another(mesh: Mesh) -> None:
    await mesh.launch(SEED)
    await mesh.stop(DB)
    zygote = mesh.supervisor._zygote
    assert zygote is not None
    zygote.kill()
    await mesh.launch(SEED)
    assert len(pids(mesh)) == len(Service) + 1


async def test_closing_ends_everything_and_may_be_repeated(tmp_path: Path) -> None:
    mesh = Mesh(MeshDirectory(tmp_path))
    await mesh.launch(SEED)
    left = [zygote_pid(mesh), *pids(mesh)]
    await mesh.aclose()
    await mesh.aclose()
    assert not any(map(alive, left))
