"""A simulated mesh changed by hand: starts, stops, routes, impairments, kills."""

import numpy as np
import pytest

from chaos.fault import NO_IMPAIRMENTS, Impairments
from orchestrator.reconcile import routing_of
from sre_autopilot.simulator import parameters
from sre_autopilot.simulator.mesh import INDEX, REPLICA_IDS, SERVICE_INDEX, SimulatedMesh
from sre_autopilot.simulator.rules.window_arrays import AGES
from sre_autopilot.world.deployment import ReplicaId, initial_deployment
from sre_autopilot.world.topology import LIMITS, POOL_SIZE, Service
from sre_autopilot.world.vocabulary import OOM_EXIT_CODE

AUTH, STANDBY = ReplicaId(Service.AUTH_SERVICE, 0), ReplicaId(Service.AUTH_SERVICE, 1)
POOL, HOLDER = ReplicaId(Service.INVENTORY_DB, 0), ReplicaId(Service.PRODUCT_SERVICE, 0)
ALL = routing_of(initial_deployment(), 0, frozenset())
FATAL = Impairments(memory_leak_mb=LIMITS[AUTH.service].memory_limit_mb)


@pytest.fixture
def mesh():
    mesh = SimulatedMesh(parameters.load("process"))
    mesh.launch(5)
    mesh.route(ALL)
    return mesh


def condition(mesh, name, replica):
    return float(getattr(mesh.window(0).condition, name)[INDEX[replica]][0])


def measured(mesh, step=0):
    """A copy: the scene's own is written anew in the next window."""
    return [rows[:].copy() for rows in mesh.window(step).measured]


def test_a_launch_runs_the_first_replica_of_each_service(mesh):
    assert [replica for replica in REPLICA_IDS if mesh.runs(replica)] == [
        ReplicaId(service, 0) for service in Service
    ]
    assert not mesh.dead


def test_a_launch_leaves_nothing_of_the_last_episode(mesh):
    fresh = measured(mesh)
    mesh.impair(AUTH, FATAL, 1)
    mesh.window(1)
    mesh.launch(5)
    mesh.route(ALL)
    assert not mesh.dead
    for before, after in zip(fresh, measured(mesh), strict=True):
        np.testing.assert_array_equal(before, after)


def test_another_seed_draws_other_traffic(mesh):
    calls = mesh.window(0).measured.calls[:].copy()
    mesh.launch(6)
    mesh.route(ALL)
    assert (mesh.window(0).measured.calls[:] != calls).any()


def test_routing_sets_rotation_and_breakers(mesh):
    mesh.route(type(ALL)({AUTH.service: (AUTH, STANDBY)}, (POOL.service,)))
    condition_now = mesh.window(0).condition
    assert np.flatnonzero(condition_now.in_rotation).tolist() == [INDEX[AUTH], INDEX[STANDBY]]
    assert np.flatnonzero(condition_now.breaker_open).tolist() == [SERVICE_INDEX[POOL.service]]


def test_impairments_last_until_they_are_changed(mesh):
    mesh.impair(AUTH, Impairments(partitioned=0.4, drop_ratio=0.3, neighbour_cpu_pct=7.0), 0)
    assert condition(mesh, "partitioned", AUTH) == 0.4
    assert condition(mesh, "drop_ratio", AUTH) == 0.3
    assert condition(mesh, "neighbour_cpu_pct", AUTH) == 7.0
    mesh.impair(AUTH, NO_IMPAIRMENTS, 1)
    assert condition(mesh, "partitioned", AUTH) == 0.0
    assert condition(mesh, "cpu_fraction", AUTH) == 1.0


def test_memory_leaks_once_a_step_however_often_it_is_applied(mesh):
    leak = Impairments(memory_leak_mb=10.0)
    for _renewal in range(3):
        mesh.impair(AUTH, leak, 1)
    assert condition(mesh, "leaked_mb", AUTH) == 10.0
    mesh.impair(AUTH, leak, 2)
    assert condition(mesh, "leaked_mb", AUTH) == 20.0


def test_connections_are_held_in_the_named_pool(mesh):
    mesh.impair(HOLDER, Impairments(held_connections={str(POOL): POOL_SIZE - 3}), 0)
    mesh.impair(POOL, Impairments(held_connections={str(POOL): 2}), 0)
    assert condition(mesh, "held_connections", POOL) == POOL_SIZE - 1
    assert condition(mesh, "held_connections", HOLDER) == 0.0
    mesh.stop(HOLDER)
    assert condition(mesh, "held_connections", POOL) == 2.0


def test_a_killed_replica_is_dead_until_it_starts(mesh):
    mesh.impair(AUTH, FATAL, 0)
    mesh.window(0)
    assert mesh.dead == {AUTH: OOM_EXIT_CODE} and not mesh.runs(AUTH)
    mesh.start(AUTH)
    assert not mesh.dead and mesh.runs(AUTH)
    assert condition(mesh, "leaked_mb", AUTH) == 0.0
    assert not mesh.dead


def test_a_stopped_replica_is_not_dead(mesh):
    mesh.stop(AUTH)
    assert not mesh.dead and not mesh.runs(AUTH)


def test_a_new_process_draws_memory_of_its_own(mesh):
    first = mesh.window(0).measured.memory_pct[SERVICE_INDEX[AUTH.service]][0]
    readings = set()
    for step in range(1, 12):
        mesh.start(AUTH, within_window=False)
        readings.add(mesh.window(step).measured.memory_pct[SERVICE_INDEX[AUTH.service]][0])
    assert len(readings | {first}) > 3


def test_memory_is_taken_with_age(mesh):
    mesh.start(AUTH)
    taken = [
        mesh.window(step).measured.memory_pct[SERVICE_INDEX[AUTH.service]][0]
        for step in range(1, AGES + 3)
    ]
    still_to_come = taken[-1] - np.array(taken)
    np.testing.assert_allclose(still_to_come[:AGES], mesh.parameters.memory_young_pct)
    assert still_to_come[0] > 1.0 and not still_to_come[AGES:].any()
