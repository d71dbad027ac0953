"""Replicas as containers: kept while nothing has happened to them, else started anew."""

import pytest

from orchestrator.errors import MeshNotReady, ReplicaUnreachable, StackUnavailable
from services.runtime.spec import UNUSED_SEED
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.stack import BrokerVerb, Part
from sre_autopilot.world.topology import USERS, Service
from sre_autopilot.world.vocabulary import OOM_EXIT_CODE, Release
from tests.orchestrator.backends.conftest import until_async
from tests.orchestrator.backends.docker.fake_stack import BROKERS, CHAOS, FakeStack, Mesh

pytestmark = pytest.mark.anyio

DB = ReplicaId(Service.USER_DB, 0)
STANDBY = ReplicaId(Service.USER_DB, 1)
GATEWAY = ReplicaId(Service.API_GATEWAY, 0)
SEED, KILLED = 7, 137


def serving(mesh: Mesh) -> set[str]:
    return {handle.name for handle in mesh.handles() if handle.serving}


def starts(stack: FakeStack) -> dict[str, int]:
    """Of those that were started more than once."""
    return {name: c.starts for name, c in stack.containers.items() if c.starts > 1}


def seeds(stack: FakeStack) -> set[int]:
    """Of the episodes that running replicas got."""
    return {container.seed for container in stack.containers.values() if container.running}


async def test_a_launch_takes_over_what_compose_started(stack: FakeStack, mesh: Mesh) -> None:
    await mesh.launch(SEED)
    assert serving(mesh) == {USERS, *(f"{service}-0" for service in Service)}
    assert seeds(stack) == {SEED}
    assert starts(stack) == {}
    assert mesh.dead() == {}


async def test_another_launch_keeps_clean_containers(stack: FakeStack, mesh: Mesh) -> None:
    await mesh.launch(SEED)
    handles = mesh.handles()
    await mesh.launch(SEED + 1)
    assert mesh.handles() == handles
    assert seeds(stack) == {SEED + 1}
    assert starts(stack) == {}


async def test_a_launch_heals_before_anything_else(stack: FakeStack, mesh: Mesh) -> None:
    stack.outside[str(DB)] = {"partitioned": 1.0}
    await mesh.launch(SEED)
    assert stack.outside == {}
    assert stack.done[0][:2] == (Part.CHAOS, "DELETE")


async def test_a_launch_restarts_a_replica_that_leaked(stack: FakeStack, mesh: Mesh) -> None:
    await mesh.launch(SEED)
    mesh.mark_dirty(DB)
    await mesh.launch(SEED + 1)
    assert starts(stack) == {str(DB): 2}
    await mesh.launch(SEED + 2)
    assert starts(stack) == {str(DB): 2}


async def test_a_launch_restarts_exited_containers(stack: FakeStack, mesh: Mesh) -> None:
    await mesh.launch(SEED)
    (before,) = mesh.handles(DB.service)
    stack[DB].die(OOM_EXIT_CODE)
    stack[USERS].die(KILLED)
    await mesh.launch(SEED + 1)
    assert before.exit_code == OOM_EXIT_CODE
    assert starts(stack) == {str(DB): 2, Part.TRAFFIC: 2}
    assert serving(mesh) >= {str(DB), USERS}
    assert seeds(stack) == {SEED + 1}


@pytest.mark.parametrize("refuses", [0, 2], ids=["serves", "starts"])
async def test_a_launch_assigns_a_replica_restarted_externally(
    stack: FakeStack, mesh: Mesh, refuses: int
) -> None:
    await mesh.launch(SEED)
    stack[DB].start()
    stack[DB].refuses = refuses
    await mesh.launch(SEED + 1)
    assert serving(mesh) >= {str(DB)}
    assert seeds(stack) == {SEED + 1}


async def test_a_used_mesh_of_another_server_is_started_anew(stack: FakeStack, mesh: Mesh) -> None:
    for container in stack.containers.values():
        container.seed = SEED - 1
    await mesh.launch(SEED)
    assert len(starts(stack)) == len(Service) + 1
    assert seeds(stack) == {SEED}


async def test_a_launch_while_a_replica_starts_leaves_it_in_the_new_episode(
    stack: FakeStack, mesh: Mesh
) -> None:
    await mesh.launch(SEED)
    await mesh.start(DB, Release.LAST_GOOD)
    await mesh.launch(SEED + 1)
    assert (stack[DB].release, stack[DB].seed) == (Release.CURRENT, SEED + 1)
    await mesh.mark_restarted_externally()
    assert mesh.dead() == {}


@pytest.mark.parametrize("own", [True, False])
async def test_a_standby_that_runs_is_stopped(stack: FakeStack, mesh: Mesh, own: bool) -> None:
    await mesh.launch(SEED)
    if own:
        await mesh.start(STANDBY, Release.CURRENT)
    else:
        stack[STANDBY].start()
    await mesh.launch(SEED + 1)
    assert not stack[STANDBY].running
    assert await mesh.serving(STANDBY) is None
    assert mesh.dead() == {}


async def test_a_start_heals_first_and_runs_at_full_speed(stack: FakeStack, mesh: Mesh) -> None:
    await mesh.launch(SEED)
    stack.outside[str(DB)] = {"partitioned": 1.0}
    stack.done.clear()
    await mesh.restart(DB)
    await mesh.ready(frozenset({DB}))
    assert stack.outside == {}
    assert stack.asked(str(DB))[:2] == [
        (Part.CHAOS, "PUT", str(DB)),
        (Part.BROKER, BrokerVerb.RESTART, str(DB)),
    ]
    assert stack[DB].cpu_share == 1.0


async def test_a_restart_leaves_the_others(stack: FakeStack, mesh: Mesh) -> None:
    await mesh.launch(SEED)
    await mesh.restart(DB)
    await mesh.ready(frozenset({DB, GATEWAY}))
    assert starts(stack) == {str(DB): 2}


async def test_a_replica_keeps_its_release_over_a_restart_and_not_over_a_launch(
    stack: FakeStack, mesh: Mesh
) -> None:
    await mesh.launch(SEED)
    await mesh.start(DB, Release.LAST_GOOD)
    await mesh.restart(DB)
    await mesh.ready(frozenset({DB}))
    assert stack[DB].release is Release.LAST_GOOD
    await mesh.launch(SEED)
    assert stack[DB].release is Release.CURRENT


async def test_a_restart_of_what_leaked_cleans_it(stack: FakeStack, mesh: Mesh) -> None:
    await mesh.launch(SEED)
    mesh.mark_dirty(DB)
    await mesh.restart(DB)
    await mesh.ready(frozenset({DB}))
    await mesh.launch(SEED + 1)
    assert starts(stack) == {str(DB): 2}


async def test_a_stopped_replica_leaves_at_once_and_ends_later(
    stack: FakeStack, mesh: Mesh
) -> None:
    await mesh.launch(SEED)
    await mesh.stop(DB)
    await mesh.stop(DB)
    assert stack[DB].running
    assert await mesh.serving(DB) is None
    assert mesh.dead() == {}
    with pytest.raises(MeshNotReady, match=str(DB)):
        await mesh.ready(frozenset({DB, GATEWAY}))
    await mesh.reconcile()
    assert stack.asked(BrokerVerb.STOP, str(DB))


async def test_check_asks_a_broker_and_changes_nothing(stack: FakeStack, mesh: Mesh) -> None:
    running = {name: container.running for name, container in stack.containers.items()}
    await mesh.check()
    stack.lose(BROKERS[0])
    await mesh.check()
    assert {name: container.running for name, container in stack.containers.items()} == running
    stack.lose(*BROKERS)
    with pytest.raises(StackUnavailable):
        await mesh.check()


async def test_a_start_waits_for_the_stop_before_it(stack: FakeStack, mesh: Mesh) -> None:
    await mesh.launch(SEED)
    await mesh.stop(DB)
    await mesh.start(DB, Release.LAST_GOOD)
    await mesh.ready(frozenset({DB}))
    assert stack[DB].running
    verbs = [done[1] for done in stack.asked(Part.BROKER, str(DB))]
    assert verbs[-3:] == [BrokerVerb.STOP, BrokerVerb.RESTART, BrokerVerb.LIMIT]


async def test_a_stop_that_failed_does_not_spoil_the_next_launch(
    stack: FakeStack, mesh: Mesh
) -> None:
    await mesh.launch(SEED)
    stack.lose(*BROKERS)
    await mesh.stop(DB)
    await until_async(lambda: all(leaving.done() for leaving in mesh._stopping.values()))
    stack.away.clear()
    await mesh.launch(SEED)
    assert serving(mesh) >= {str(DB)}


async def test_an_oom_kill_is_found_with_its_code(stack: FakeStack, mesh: Mesh) -> None:
    await mesh.launch(SEED)
    stack[DB].die(OOM_EXIT_CODE)
    await mesh.refresh()
    assert mesh.dead() == {DB: OOM_EXIT_CODE}
    assert await mesh.serving(DB) is None
    await mesh.ready(frozenset({DB, GATEWAY}))
    await mesh.start(DB, Release.CURRENT)
    assert mesh.dead() == {}
    await mesh.ready(frozenset({DB}))
    assert serving(mesh) >= {str(DB)}


async def test_a_replica_restarted_externally_in_an_episode_is_dead(
    stack: FakeStack, mesh: Mesh
) -> None:
    await mesh.launch(SEED)
    await mesh.mark_restarted_externally()
    assert mesh.dead() == {}
    stack[DB].start()
    stack[DB].refuses = 0
    await mesh.mark_restarted_externally()
    assert mesh.dead() == {DB: KILLED}


async def test_a_replica_that_never_serves_is_named_in_time(stack: FakeStack) -> None:
    mesh = Mesh(stack, ready_timeout_s=0.2)
    stack[DB].seed = SEED
    stack.lose(f"http://{stack[DB].address}")
    with pytest.raises(MeshNotReady, match=rf"{DB} .*docker compose logs.* within 0.2 s") as caught:
        await mesh.launch(SEED)
    assert str(GATEWAY) not in caught.value.what
    await mesh.supervisor.aclose()


async def test_launch_without_a_broker_raises(stack: FakeStack, mesh: Mesh) -> None:
    stack.lose(*BROKERS)
    with pytest.raises(StackUnavailable, match="the broker does not answer"):
        await mesh.launch(SEED)


async def test_a_launch_needs_one_broker_of_two(stack: FakeStack, mesh: Mesh) -> None:
    stack.lose(BROKERS[0])
    await mesh.launch(SEED)
    assert len(serving(mesh)) == len(Service) + 1


async def test_without_chaos_nothing_is_launched_or_started(stack: FakeStack, mesh: Mesh) -> None:
    await mesh.launch(SEED)
    stack.lose(CHAOS)
    for ask in (mesh.launch(SEED), mesh.start(DB, Release.CURRENT)):
        with pytest.raises(ReplicaUnreachable, match=Part.CHAOS):
            await ask
    assert starts(stack) == {}


async def test_closing_leaves_all_healed_and_the_users_idle(stack: FakeStack, mesh: Mesh) -> None:
    await mesh.launch(SEED)
    await mesh.start(STANDBY, Release.CURRENT)
    stack.outside[str(DB)] = {"partitioned": 1.0}
    await mesh.aclose()
    assert stack.outside == {}
    assert not stack[STANDBY].running
    assert all(stack.containers[f"{service}-0"].running for service in Service)
    assert (stack[USERS].running, stack[USERS].seed, stack[USERS].routings) == (
        True, UNUSED_SEED, 0,
    )  # fmt: skip


async def test_closing_again_or_unused_asks_for_nothing(stack: FakeStack, mesh: Mesh) -> None:
    await mesh.aclose()
    assert stack.done == []
    await mesh.launch(SEED)
    await mesh.aclose()
    await mesh.supervisor.aclose()
    stack.done.clear()
    await mesh.aclose()
    assert stack.done == []
