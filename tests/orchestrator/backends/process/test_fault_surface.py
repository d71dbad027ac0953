"""Impairments reach the process they are for; one that dies of them is no error."""

import pytest

from chaos.fault import NO_IMPAIRMENTS, Impairments
from orchestrator.backends.live.control_client import ControlClient
from orchestrator.backends.process.fault_surface import ProcessFaultSurface
from orchestrator.errors import ReplicaUnreachable
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.topology import LIMITS, Service
from sre_autopilot.world.vocabulary import IMPAIRMENT_TTL_S, OOM_EXIT_CODE
from tests.orchestrator.backends.conftest import Mesh, until_async

pytestmark = pytest.mark.anyio

DB = ReplicaId(Service.USER_DB, 0)
SOME = Impairments(held_connections={str(DB): 4}, partitioned=0.1 + 0.2, cpu_fraction=0.7)


class Surface(ProcessFaultSurface):
    async def impair(self, impairments: Impairments) -> Impairments | None:
        return await self.apply(DB, impairments, step=3, ttl_s=IMPAIRMENT_TTL_S)


@pytest.fixture
async def surface(mesh: Mesh, control: ControlClient) -> Surface:
    await mesh.launch(1)
    return Surface(mesh, control)


@pytest.mark.parametrize("impairments", [NO_IMPAIRMENTS, SOME])
async def test_applied_impairments_are_returned(surface: Surface, impairments: Impairments) -> None:
    assert await surface.impair(impairments) == impairments


async def test_a_target_that_starts_is_waited_for(mesh: Mesh, surface: Surface) -> None:
    await mesh.restart(DB)
    assert await surface.impair(SOME) == SOME


async def test_stopped_and_dead_replicas_hold_no_impairments(mesh: Mesh, surface: Surface) -> None:
    await mesh.stop(DB)
    assert await surface.impair(SOME) is None
    await mesh.restart(DB)
    await mesh.die(DB, OOM_EXIT_CODE)
    assert await surface.impair(SOME) is None


async def test_a_leak_above_the_limit_kills(mesh: Mesh, surface: Surface) -> None:
    limit_mb = LIMITS[DB.service].memory_limit_mb
    await surface.impair(Impairments(memory_leak_mb=limit_mb))
    await until_async(lambda: mesh.dead() == {DB: OOM_EXIT_CODE})


async def test_a_target_that_dies_before_it_answers_holds_nothing(
    mesh: Mesh, surface: Surface
) -> None:
    assert await surface.impair(Impairments(drop_ratio=1.0)) is None
    assert mesh.dead() == {DB: OOM_EXIT_CODE}


async def test_a_target_that_lives_but_answers_nonsense_is_an_error(surface: Surface) -> None:
    with pytest.raises(ReplicaUnreachable, match=str(DB)):
        await surface.impair(Impairments(partitioned=1.0))
