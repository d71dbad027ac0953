"""Carries a deployment out on a backend, without downtime that no action asked for."""

from dataclasses import replace
from typing import Protocol

from orchestrator.backends.base import Lifecycle, Routing, Traffic
from sre_autopilot.world.deployment import Deployment, Replica, ReplicaId
from sre_autopilot.world.topology import Service


class Mesh(Lifecycle, Traffic, Protocol):
    """What a rollout moves."""


def routing_of(deployment: Deployment, step: int, without: frozenset[ReplicaId]) -> Routing:
    """The routing for the window of `step`, replicas `without` left out."""
    endpoints = {
        service: tuple(r.id for r in deployment.serving(service, step) if r.id not in without)
        for service in Service
    }
    return Routing(endpoints, deployment.open_breakers(step))


async def reconcile(mesh: Mesh, before: Deployment, after: Deployment, step: int) -> None:
    """Starts, restarts, routes and stops until `mesh` is what `after` says for `step`.

    New replicas serve before old ones stop; what is to be started anew leaves the rotation first.
    """
    was = {replica.id: replica for replica in before}
    will_be = {replica.id: replica for replica in after}
    reused = frozenset(i for i, r in will_be.items() if i in was and was[i].release != r.release)
    interim = replace(before, out_of_rotation=after.out_of_rotation, breakers=after.breakers)
    await mesh.route(routing_of(interim, step, reused))
    for replica_id in reused:
        await mesh.stop(replica_id)
    for replica_id, replica in will_be.items():
        if replica_id not in was or replica_id in reused:
            await mesh.start(replica_id, replica.release)
        elif _restarts(replica, was[replica_id], after):
            await mesh.restart(replica_id)
    await mesh.ready(frozenset(will_be))
    await mesh.route(routing_of(after, step, frozenset()))
    for replica_id in was.keys() - will_be.keys():
        await mesh.stop(replica_id)


def _restarts(replica: Replica, before: Replica, after: Deployment) -> bool:
    """Whether a replica that stays is to start anew.

    One that was killed in the last window has been started already for the window that a restart
    is ordered for: its start has the same step before and after. But only a restart takes a
    service out of rotation.
    """
    return replica.started_at != before.started_at or replica.id.service in after.out_of_rotation
