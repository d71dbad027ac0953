"""A rollout brings the mesh to the deployment, in an order that costs no needless downtime."""

import anyio

from orchestrator.actions import ACTIONS, Situation
from orchestrator.reconcile import reconcile, routing_of
from sre_autopilot.world.deployment import ReplicaId, initial_deployment
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, Release
from tests.watched_simulator import WatchedSimulator

SERVICE = Service.PRODUCT_SERVICE
FIRST, STANDBY = ReplicaId(SERVICE, 0), ReplicaId(SERVICE, 1)


class LoggedMesh(WatchedSimulator):
    """Remembers what was asked, in order; of a route, the replicas that serve SERVICE."""

    def __init__(self):
        super().__init__()
        self.log = []

    async def start(self, replica, release):
        self.log.append(("start", replica, release))
        await super().start(replica, release)

    async def stop(self, replica):
        self.log.append(("stop", replica))
        await super().stop(replica)

    async def restart(self, replica):
        self.log.append(("restart", replica))

    async def route(self, routing):
        self.log.append(("route", *routing.endpoints[SERVICE]))
        await super().route(routing)


def carried_out(*names):
    """The log of the last of `names`, each taken five steps after the one before."""

    async def scenario():
        mesh = LoggedMesh()
        await mesh.launch(0)
        deployment, step = initial_deployment(), 0
        for name in names:
            mesh.log.clear()
            before = deployment.window_ended()
            step += 5
            deployment = ACTIONS[name].apply(SERVICE, Situation(before, step, 5))
            await reconcile(mesh, before, deployment, step)
        assert set(mesh.running) == {replica.id for replica in deployment}
        assert mesh.running == {replica.id: replica.release for replica in deployment}
        return mesh.log

    return anyio.run(scenario)


def test_restart_leaves_the_rotation_before_it_is_killed():
    assert carried_out(ActionName.RESTART) == [("route",), ("restart", FIRST), ("route",)]


def test_restart_in_the_window_after_a_kill_restarts():
    """The replica was started anew for the very window that the restart is ordered for."""

    async def scenario():
        mesh, step = LoggedMesh(), 7
        await mesh.launch(0)
        revived = initial_deployment().window_ended().revived(FIRST, step)
        restarted = ACTIONS[ActionName.RESTART].apply(SERVICE, Situation(revived, step, 5))
        await reconcile(mesh, revived, restarted, step)
        return mesh.log

    assert anyio.run(scenario) == [("route",), ("restart", FIRST), ("route",)]


def test_restart_of_two_replicas_restarts_both():
    log = carried_out(ActionName.SCALE_UP, ActionName.RESTART)
    assert [entry for entry in log if entry[0] == "restart"] == [
        ("restart", FIRST),
        ("restart", STANDBY),
    ]


def test_scale_up_starts_the_standby_outside_the_rotation():
    log = carried_out(ActionName.SCALE_UP)
    assert log == [("route", FIRST), ("start", STANDBY, Release.CURRENT), ("route", FIRST)]


def test_rollback_serves_before_the_old_replica_stops():
    assert carried_out(ActionName.ROLLBACK) == [
        ("route", FIRST),
        ("start", STANDBY, Release.LAST_GOOD),
        ("route", STANDBY),
        ("stop", FIRST),
    ]


def test_rollback_of_two_replicas_keeps_one_serving_all_the_time():
    assert carried_out(ActionName.SCALE_UP, ActionName.ROLLBACK) == [
        ("route", FIRST),
        ("stop", STANDBY),
        ("start", STANDBY, Release.LAST_GOOD),
        ("route", STANDBY),
        ("stop", FIRST),
    ]


def test_an_open_breaker_is_pushed_to_the_callers():
    deployment = ACTIONS[ActionName.CIRCUIT_BREAK].apply(
        SERVICE, Situation(initial_deployment(), 3, 5)
    )
    assert routing_of(deployment, 5, frozenset()).open_breakers == (SERVICE,)
    assert routing_of(deployment, 6, frozenset()).open_breakers == ()
