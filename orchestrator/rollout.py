"""Carries a deployment out on a backend: from one to the next, without downtime it was not asked for."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from orchestrator.backends.base import Lifecycle, Routing, Traffic
from services.mesh.deployment import Deployment, Replica, ReplicaId
from services.mesh.topology import Service


class Mesh(Lifecycle, Traffic, Protocol):
    """What a rollout moves."""


def routing_of(deployment: Deployment, step: int, without: frozenset[ReplicaId]) -> Routing:
    """What callers are told during the window of `step`, replicas `without` left out."""
    endpoints = {
        service: tuple(
            r.id for r in deployment.serving(service, step) if r.id not in without
        )
        for service in Service
    }
    return Routing(endpoints, deployment.open_breakers(step))


async def roll_out(mesh: Mesh, before: Deployment, after: Deployment, step: int) -> None:
    """Starts, restarts, routes and stops until `mesh` is what `after` says for the window of `step`.

    New replicas serve before the old ones stop; replicas that are started anew leave the rotation first.
    """
    was = {replica.id: replica for replica in before}
    will_be = {replica.id: replica for replica in after}
    reused = _changed(was, will_be.values())
    interim = replace(before, held_out=after.held_out, breakers=after.breakers)
    await mesh.route(routing_of(interim, step, reused))
    for replica in reused:
        await mesh.stop(replica)
    for replica in will_be.values():
        if replica.id not in was or replica.id in reused:
            await mesh.start(replica.id, replica.release)
        elif replica.started_at != was[replica.id].started_at:
            await mesh.restart(replica.id)
    await mesh.ready(frozenset(will_be))
    await mesh.route(routing_of(after, step, frozenset()))
    for gone in was.keys() - will_be.keys():
        await mesh.stop(gone)


def _changed(
    was: dict[ReplicaId, Replica], replicas: Iterable[Replica]
) -> frozenset[ReplicaId]:
    """Running replicas that are to run another release."""
    return frozenset(r.id for r in replicas if r.id in was and was[r.id].release is not r.release)
