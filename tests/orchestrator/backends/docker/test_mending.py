"""Before an episode: what others changed is undone, or the launch is refused with the reason."""

import pytest

from orchestrator.errors import BackendUnhealthy
from services.runtime.spec import UNUSED_SEED
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.stack import BrokerVerb, Part
from sre_autopilot.world.topology import USERS, Service
from tests.orchestrator.backends.docker.fake_stack import FakeStack, Mesh
from tests.orchestrator.backends.docker.test_lifecycle import seeds, starts

pytestmark = pytest.mark.anyio

DB = ReplicaId(Service.USER_DB, 0)
STANDBY = ReplicaId(Service.USER_DB, 1)
SEED, KILLED = 7, 137


async def test_repaired_containers_are_kept(stack: FakeStack, mesh: Mesh) -> None:
    await mesh.launch(SEED)
    stack[DB].damage, stack[USERS].damage = ["it had 0.02 cores, not 0.5"], ["it was paused"]
    await mesh.launch(SEED + 1)
    assert stack.asked(BrokerVerb.REPAIR) == [
        (Part.BROKER, BrokerVerb.REPAIR, name) for name in (str(DB), Part.TRAFFIC)
    ]
    assert starts(stack) == {}


async def test_containers_that_moved_start_anew(stack: FakeStack, mesh: Mesh) -> None:
    """They were off the telemetry network, which gave them other addresses."""
    await mesh.launch(SEED)
    stack[DB].address, stack[USERS].address = "elsewhere.example", "far-away.example"
    await mesh.launch(SEED + 1)
    assert starts(stack) == {str(DB): 2, Part.TRAFFIC: 2}
    assert seeds(stack) == {SEED + 1}
    await mesh.launch(SEED + 2)
    assert starts(stack) == {str(DB): 2, Part.TRAFFIC: 2}


@pytest.mark.parametrize("name", [str(DB), str(STANDBY), Part.TRAFFIC, Part.CHAOS, Part.BROKER])
async def test_launch_is_refused_where_a_repair_fails(
    stack: FakeStack, mesh: Mesh, name: str
) -> None:
    stack.beyond_repair.add(name)
    with pytest.raises(BackendUnhealthy, match=f"{name} cannot be repaired: .*the engine refuses"):
        await mesh.launch(SEED)


async def test_containers_of_two_images_are_not_played_in(stack: FakeStack, mesh: Mesh) -> None:
    stack[DB].image = "sha256:another"
    with pytest.raises(BackendUnhealthy, match=f"{DB} runs another image"):
        await mesh.launch(SEED)


async def test_reconcile_leaves_services_that_had_no_episode(stack: FakeStack, mesh: Mesh) -> None:
    """As an orchestrator does that was killed in mid-episode, and started again."""
    await mesh.launch(SEED)
    another = Mesh(stack)
    await another.reconcile()
    assert seeds(stack) == {UNUSED_SEED}
    started = starts(stack)
    assert set(started) == {*(f"{service}-0" for service in Service), Part.TRAFFIC}
    await another.launch(SEED + 1)
    assert starts(stack) == started, "the first reset finds them ready"
    await another.supervisor.aclose()


async def test_reconcile_starts_nothing_that_is_just_starting(stack: FakeStack, mesh: Mesh) -> None:
    stack[DB].refuses = 3
    await mesh.reconcile()
    assert starts(stack) == {}


async def test_check_names_what_does_not_run(stack: FakeStack, mesh: Mesh) -> None:
    stack[DB].die(KILLED)
    with pytest.raises(BackendUnhealthy, match=f"{DB} does not run"):
        await mesh.check()
