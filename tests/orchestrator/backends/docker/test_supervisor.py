"""Containers are started, adopted, and found dead; each gets its own orders alone."""

import asyncio

import pytest

from orchestrator.backends.docker.supervisor import container_of
from orchestrator.backends.live.replicas import ReplicaHandle
from orchestrator.errors import StackUnavailable
from services.runtime.spec import UNUSED_SEED
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.signals import ControlRoute
from sre_autopilot.world.stack import CONTROL_PORT, DATA_PORT, BrokerVerb, Part
from sre_autopilot.world.topology import USERS, Service
from sre_autopilot.world.vocabulary import OOM_EXIT_CODE, Release
from tests.orchestrator.backends.conftest import until_async
from tests.orchestrator.backends.docker.fake_stack import (
    BROKERS,
    STARTING_CPU_SHARE,
    FakeStack,
    Mesh,
)

pytestmark = pytest.mark.anyio

DB = str(ReplicaId(Service.USER_DB, 0))
STANDBY = str(ReplicaId(Service.USER_DB, 1))
SEED, KILLED = 7, 137
TIMEOUT_S = 5.0


async def settled(handle: ReplicaHandle) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        await handle.wait_settled()


def test_every_process_is_a_container_of_its_name_but_the_users() -> None:
    assert (container_of(DB), container_of(USERS)) == (DB, Part.TRAFFIC)


async def test_a_start_returns_before_the_replica_serves(stack: FakeStack, mesh: Mesh) -> None:
    handle = await mesh.supervisor.spawn(DB, Release.LAST_GOOD, SEED)
    assert handle.serving is None
    assert stack[DB].cpu_share == STARTING_CPU_SHARE
    await settled(handle)
    assert (stack[DB].release, stack[DB].seed) == (Release.LAST_GOOD, SEED)
    assert handle.target is not None
    assert handle.target.data_url == f"http://mesh.{stack[DB].address}:{DATA_PORT}"
    assert handle.target.control_url == f"http://{stack[DB].address}:{CONTROL_PORT}"


async def test_the_cpu_of_a_start_is_taken_back_before_the_replica_serves(
    stack: FakeStack, mesh: Mesh
) -> None:
    handle = await mesh.supervisor.spawn(DB, Release.CURRENT, SEED)
    await settled(handle)
    assert stack[DB].cpu_share == 1.0
    assert stack.asked(DB) == [
        (Part.BROKER, BrokerVerb.RESTART, DB),
        (DB, "PUT", ControlRoute.RELEASE),
        (Part.BROKER, BrokerVerb.LIMIT, DB),
    ]


async def test_the_users_have_no_address_for_calls_and_no_limit(
    stack: FakeStack, mesh: Mesh
) -> None:
    handle = await mesh.supervisor.spawn(USERS, Release.CURRENT, SEED)
    await settled(handle)
    assert handle.target is not None and handle.target.data_url == ""
    assert (Part.BROKER, BrokerVerb.LIMIT, Part.TRAFFIC) not in stack.done


async def test_a_replica_that_exits_while_starting_is_settled_with_its_code(
    stack: FakeStack, mesh: Mesh
) -> None:
    handle = await mesh.supervisor.spawn(DB, Release.CURRENT, SEED)
    stack[DB].die(3)
    await settled(handle)
    assert (handle.serving, handle.exit_code) == (None, 3)


async def test_a_start_outlives_its_broker(stack: FakeStack, mesh: Mesh) -> None:
    handle = await mesh.supervisor.spawn(DB, Release.CURRENT, SEED)
    stack.lose(BROKERS[0])
    await settled(handle)
    assert handle.serving and stack[DB].cpu_share == 1.0


async def test_a_start_waits_while_no_broker_is_there(stack: FakeStack, mesh: Mesh) -> None:
    handle = await mesh.supervisor.spawn(DB, Release.CURRENT, SEED)
    stack.lose(*BROKERS)
    await until_async(lambda: len(stack.asked(DB, ControlRoute.RELEASE)) >= 2)
    assert handle.serving is None
    stack.away.clear()
    await settled(handle)
    assert handle.serving


async def test_a_second_start_ends_the_first_silently(stack: FakeStack, mesh: Mesh) -> None:
    first = await mesh.supervisor.spawn(DB, Release.CURRENT, SEED)
    second = await mesh.supervisor.spawn(DB, Release.LAST_GOOD, SEED + 1)
    stack[DB].refuses = 0
    await settled(first)
    assert first.exit_code == KILLED
    await settled(second)
    assert len(stack.asked(DB, ControlRoute.RELEASE)) == 1
    assert (stack[DB].release, stack[DB].seed) == (Release.LAST_GOOD, SEED + 1)


async def test_a_container_that_no_episode_has_had_is_taken_over(
    stack: FakeStack, mesh: Mesh
) -> None:
    handle = await mesh.supervisor.adopt_unused(DB, Release.LAST_GOOD, SEED)
    assert handle is not None and handle.serving
    assert (stack[DB].release, stack[DB].seed, stack[DB].starts) == (Release.LAST_GOOD, SEED, 1)


async def test_adopting_sets_the_cpu_to_the_limit(stack: FakeStack, mesh: Mesh) -> None:
    stack[DB].cpu_share = 0.1
    await mesh.supervisor.adopt_unused(DB, Release.CURRENT, SEED)
    assert stack[DB].cpu_share == 1.0


async def test_none_that_is_used_stopped_or_not_ready_is_taken_over(
    stack: FakeStack, mesh: Mesh
) -> None:
    assert await mesh.supervisor.adopt_unused(STANDBY, Release.CURRENT, SEED) is None
    stack[DB].seed = SEED
    assert await mesh.supervisor.adopt_unused(DB, Release.CURRENT, SEED) is None
    stack[DB].start()
    assert await mesh.supervisor.adopt_unused(DB, Release.CURRENT, SEED) is None
    assert not stack.asked("PUT", ControlRoute.RELEASE)


async def test_refresh_marks_the_exited_with_their_codes(stack: FakeStack, mesh: Mesh) -> None:
    handles = [
        await mesh.supervisor.adopt_unused(name, Release.CURRENT, SEED) for name in (DB, USERS)
    ]
    stack[DB].die(OOM_EXIT_CODE)
    await mesh.supervisor.refresh([handle for handle in handles if handle])
    assert [handle and handle.exit_code for handle in handles] == [OOM_EXIT_CODE, None]


async def test_a_run_is_over_when_its_container_is_restarted_externally(
    stack: FakeStack, mesh: Mesh
) -> None:
    handle = await mesh.supervisor.adopt_unused(DB, Release.CURRENT, SEED)
    assert handle is not None
    assert not await handle.wait_exited(0.0)
    stack[DB].start()
    assert await handle.wait_exited(0.0)
    assert handle.exit_code == KILLED


async def test_only_a_replica_restarted_externally_is_marked(stack: FakeStack, mesh: Mesh) -> None:
    handles = [
        await mesh.supervisor.adopt_unused(name, Release.CURRENT, SEED) for name in (DB, USERS)
    ]
    stack[DB].seed = UNUSED_SEED
    await mesh.supervisor.mark_restarted_externally([handle for handle in handles if handle], SEED)
    assert [handle and handle.exit_code for handle in handles] == [KILLED, None]


async def test_a_replica_whose_seed_cannot_be_read_is_not_marked(
    stack: FakeStack, mesh: Mesh
) -> None:
    handle = await mesh.supervisor.adopt_unused(DB, Release.CURRENT, SEED)
    assert handle is not None
    stack.lose(f"http://{stack[DB].address}")
    await mesh.supervisor.mark_restarted_externally([handle], SEED)
    assert handle.exit_code is None


async def test_a_missing_broker_is_one_error(stack: FakeStack, mesh: Mesh) -> None:
    handle = await mesh.supervisor.adopt_unused(DB, Release.CURRENT, SEED)
    assert handle is not None
    stack.lose(*BROKERS)
    for ask in (
        mesh.supervisor.spawn(DB, Release.CURRENT, SEED),
        mesh.supervisor.adopt_unused(DB, Release.CURRENT, SEED),
        mesh.supervisor.stop(DB, 1.0),
        mesh.supervisor.running(),
        mesh.supervisor.refresh([handle]),
        handle.wait_exited(1.0),
    ):
        with pytest.raises(StackUnavailable, match="the broker does not answer"):
            await ask


async def test_closing_moves_nothing_and_leaves_no_task(stack: FakeStack, mesh: Mesh) -> None:
    before = asyncio.all_tasks()
    handle = await mesh.supervisor.spawn(DB, Release.CURRENT, SEED)
    done = list(stack.done)
    await mesh.supervisor.aclose()
    await mesh.supervisor.aclose()
    await settled(handle)
    assert asyncio.all_tasks() == before
    assert stack.done == done
