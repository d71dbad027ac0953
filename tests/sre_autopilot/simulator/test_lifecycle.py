"""Starts, kills and stops of simulated replicas, as the episode orders them."""

import pytest

from chaos.fault import NO_IMPAIRMENTS, Impairments
from orchestrator.reconcile import routing_of
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.world.deployment import ReplicaId, initial_deployment
from sre_autopilot.world.topology import LIMITS, Service
from sre_autopilot.world.vocabulary import OOM_EXIT_CODE, Release

pytestmark = pytest.mark.anyio
DB, STANDBY = ReplicaId(Service.USER_DB, 0), ReplicaId(Service.USER_DB, 1)
LEAK = Impairments(memory_leak_mb=LIMITS[DB.service].memory_limit_mb)
TTL_S = 5.0


@pytest.fixture
async def mesh():
    mesh = SimulatorBackend()
    await mesh.launch(1)
    await mesh.route(routing_of(initial_deployment(), 0, frozenset()))
    return mesh


async def test_a_leak_ends_in_a_kill_and_a_start_frees_the_memory(mesh):
    assert await mesh.apply(DB, LEAK, 0, TTL_S) == LEAK
    window = await mesh.observe(0)
    assert mesh.dead() == {DB: OOM_EXIT_CODE}
    assert window.services[DB.service].memory_pct is None
    assert window.services[DB.service].cpu_pct is None
    await mesh.start(DB, Release.CURRENT)
    assert mesh.dead() == {}
    memory_pct = (await mesh.observe(1)).services[DB.service].memory_pct
    assert memory_pct is not None and memory_pct < 50.0


async def test_a_stopped_replica_cannot_be_impaired(mesh):
    assert await mesh.apply(STANDBY, NO_IMPAIRMENTS, 0, TTL_S) is None
    await mesh.start(STANDBY, Release.CURRENT)
    assert await mesh.apply(STANDBY, NO_IMPAIRMENTS, 0, TTL_S) == NO_IMPAIRMENTS
    await mesh.stop(STANDBY)
    assert await mesh.apply(STANDBY, NO_IMPAIRMENTS, 0, TTL_S) is None


async def test_a_restart_clears_impairments(mesh):
    await mesh.apply(DB, Impairments(partitioned=1.0), 0, TTL_S)
    await mesh.restart(DB)
    calls = (await mesh.observe(0)).services[DB.service].calls
    assert calls.failed == 0 < calls.total


async def test_stopping_twice_is_stopping(mesh):
    await mesh.stop(DB)
    await mesh.stop(DB)
    assert mesh.dead() == {}


async def test_dead_replicas_are_reported_as_a_copy(mesh):
    await mesh.apply(DB, LEAK, 0, TTL_S)
    await mesh.observe(0)
    dead = mesh.dead()
    await mesh.start(DB, Release.CURRENT)
    assert dead == {DB: OOM_EXIT_CODE} and mesh.dead() == {}


async def test_replicas_are_ready_at_once(mesh):
    await mesh.start(STANDBY, Release.LAST_GOOD)
    await mesh.ready(frozenset({DB, STANDBY}))
