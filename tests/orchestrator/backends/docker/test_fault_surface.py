"""Partitions and starvation go to chaos, all else to the replica; each hears of its own only."""

import asyncio
from dataclasses import asdict

import pytest

from chaos.fault import NO_IMPAIRMENTS, Impairments
from orchestrator.backends.docker.fault_surface import DockerFaultSurface
from orchestrator.errors import ReplicaUnreachable
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.signals import ControlRoute
from sre_autopilot.world.stack import BrokerVerb, Part
from sre_autopilot.world.topology import LIMITS, Service
from sre_autopilot.world.vocabulary import IMPAIRMENT_TTL_S, OOM_EXIT_CODE, Release
from tests.orchestrator.backends.docker.fake_stack import CHAOS, FakeStack, Mesh

pytestmark = pytest.mark.anyio

DB = ReplicaId(Service.USER_DB, 0)
SEED, KILLED = 7, 137
INSIDE = Impairments(
    memory_leak_mb=3.0, held_connections={str(DB): 4}, drop_ratio=0.5, neighbour_cpu_pct=20.0
)
OUTSIDE = Impairments(partitioned=0.1 + 0.2, cpu_fraction=0.7)
BOTH = Impairments(drop_ratio=0.5, partitioned=1.0)


class Surface(DockerFaultSurface):
    async def impair(self, impairments: Impairments) -> Impairments | None:
        return await self.apply(DB, impairments, step=3, ttl_s=IMPAIRMENT_TTL_S)


@pytest.fixture
async def surface(stack: FakeStack, mesh: Mesh) -> Surface:
    await mesh.launch(SEED)
    stack.done.clear()
    return Surface(mesh, mesh.control, mesh.chaos)


@pytest.mark.parametrize("impairments", [NO_IMPAIRMENTS, INSIDE, OUTSIDE, BOTH])
async def test_applied_impairments_are_returned(surface: Surface, impairments: Impairments) -> None:
    assert await surface.impair(impairments) == impairments


async def test_impairments_inside_a_process_are_sent_to_it_alone(
    stack: FakeStack, surface: Surface
) -> None:
    await surface.impair(INSIDE)
    assert stack.outside == {}
    assert not stack.asked(Part.CHAOS)
    assert stack[DB].impaired == asdict(INSIDE) | {"step": 3, "ttl_s": IMPAIRMENT_TTL_S}


async def test_outages_are_sent_to_chaos_alone(stack: FakeStack, surface: Surface) -> None:
    await surface.impair(OUTSIDE)
    assert stack.outside == {
        str(DB): {"partitioned": OUTSIDE.partitioned, "cpu_fraction": OUTSIDE.cpu_fraction}
    }
    assert stack[DB].impaired["partitioned"] == 0.0
    assert stack[DB].impaired["cpu_fraction"] == 1.0


async def test_a_replica_is_impaired_before_its_outage_and_healed_after_it(
    stack: FakeStack, surface: Surface
) -> None:
    await surface.impair(BOTH)
    await surface.impair(NO_IMPAIRMENTS)
    inside, outside = (str(DB), "PUT", ControlRoute.IMPAIRMENTS), (Part.CHAOS, "PUT", str(DB))
    assert stack.done == [inside, outside, outside, inside]
    assert stack.outside == {}


async def test_a_renewal_is_sent_to_chaos_again_and_a_healing_once(
    stack: FakeStack, surface: Surface
) -> None:
    for impairments in (OUTSIDE, OUTSIDE, NO_IMPAIRMENTS, NO_IMPAIRMENTS):
        await surface.impair(impairments)
    assert len(stack.asked(Part.CHAOS)) == 3


async def test_a_healing_that_failed_is_tried_again(stack: FakeStack, surface: Surface) -> None:
    await surface.impair(OUTSIDE)
    stack.lose(CHAOS)
    with pytest.raises(ReplicaUnreachable, match=Part.CHAOS):
        await surface.impair(NO_IMPAIRMENTS)
    stack.away.clear()
    await surface.impair(NO_IMPAIRMENTS)
    assert stack.outside == {}


async def test_dead_and_stopped_replicas_are_healed(
    stack: FakeStack, mesh: Mesh, surface: Surface
) -> None:
    await surface.impair(OUTSIDE)
    stack[DB].die(KILLED)
    await mesh.refresh()
    assert await surface.impair(OUTSIDE) is None
    assert await surface.impair(NO_IMPAIRMENTS) is None
    assert stack.outside == {}
    await mesh.stop(DB)
    assert await surface.impair(INSIDE) is None
    assert len(stack.asked(str(DB), ControlRoute.IMPAIRMENTS)) == 1


async def test_a_target_that_starts_is_waited_for(
    stack: FakeStack, mesh: Mesh, surface: Surface
) -> None:
    await mesh.restart(DB)
    assert await surface.impair(INSIDE) == INSIDE
    assert stack.asked(str(DB))[-2:] == [
        (Part.BROKER, BrokerVerb.LIMIT, str(DB)),
        (str(DB), "PUT", ControlRoute.IMPAIRMENTS),
    ]


async def test_a_superseded_start_delays_no_other(mesh: Mesh, surface: Surface) -> None:
    await mesh.restart(DB)
    waiting = asyncio.create_task(surface.impair(INSIDE))
    await asyncio.sleep(0)
    await mesh.start(DB, Release.LAST_GOOD)
    assert await waiting is None


async def test_a_leak_above_the_limit_kills(stack: FakeStack, mesh: Mesh, surface: Surface) -> None:
    leak = Impairments(memory_leak_mb=LIMITS[DB.service].memory_limit_mb)
    assert await surface.impair(leak) is None
    assert mesh.dead() == {DB: OOM_EXIT_CODE}


async def test_only_a_replica_that_leaked_is_restarted_at_the_next_launch(
    stack: FakeStack, mesh: Mesh, surface: Surface
) -> None:
    await surface.impair(OUTSIDE)
    await surface.impair(NO_IMPAIRMENTS)
    await mesh.launch(SEED + 1)
    assert stack[DB].starts == 1
    await surface.impair(INSIDE)
    await mesh.launch(SEED + 2)
    assert stack[DB].starts == 2


async def test_a_replica_restarted_externally_has_no_impairments(
    stack: FakeStack, mesh: Mesh, surface: Surface
) -> None:
    stack[DB].start()
    assert await surface.impair(INSIDE) is None
    assert mesh.dead() == {DB: KILLED}


async def test_a_running_replica_that_does_not_answer_raises(
    stack: FakeStack, surface: Surface
) -> None:
    stack.lose(f"http://{stack[DB].address}")
    with pytest.raises(ReplicaUnreachable, match=str(DB)):
        await surface.impair(INSIDE)
