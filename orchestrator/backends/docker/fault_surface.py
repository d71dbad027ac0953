"""Applies impairments to containers: some inside the replica, outages through the chaos daemon."""

from dataclasses import replace

from chaos.fault import NO_IMPAIRMENTS, Impairments
from orchestrator.backends.docker.chaos_client import ChaosClient
from orchestrator.backends.docker.lifecycle import DockerLifecycle
from orchestrator.backends.live.control_client import ControlClient
from orchestrator.backends.live.replicas import unless_exited
from sre_autopilot.world.deployment import ReplicaId


class DockerFaultSurface:
    """Splits impairments: partitions and lack of CPU are outages of the container, the rest is
    applied by the process itself.
    """

    def __init__(
        self, lifecycle: DockerLifecycle, control: ControlClient, chaos: ChaosClient
    ) -> None:
        self._lifecycle = lifecycle
        self._control = control
        self._chaos = chaos
        self._in_outage: set[ReplicaId] = set()

    async def apply(
        self, target: ReplicaId, impairments: Impairments, step: int, ttl_s: float
    ) -> Impairments | None:
        """Waits for a target that is starting; None too where the impairment itself killed it."""
        outage = replace(
            NO_IMPAIRMENTS,
            partitioned=impairments.partitioned,
            cpu_fraction=impairments.cpu_fraction,
        )
        if target in self._in_outage and outage == NO_IMPAIRMENTS:
            # Before anything else, and for exited ones too: a starved process answers late.
            await self._set_outage(target, outage, ttl_s)
            self._in_outage.discard(target)
        handle = await self._lifecycle.serving(target)
        if handle is None or handle.serving is None:
            return None
        if impairments.memory_leak_mb:
            self._lifecycle.mark_dirty(target)
        inside = replace(impairments, partitioned=0.0, cpu_fraction=1.0)
        answer = self._control.impair(handle.serving, inside, step, ttl_s)
        applied = await unless_exited(handle, answer)
        if applied is None:
            return None
        if outage != NO_IMPAIRMENTS:
            self._in_outage.add(target)
            await self._set_outage(target, outage, ttl_s)
        return replace(applied, partitioned=outage.partitioned, cpu_fraction=outage.cpu_fraction)

    async def _set_outage(self, target: ReplicaId, outage: Impairments, ttl_s: float) -> None:
        await self._chaos.impair(target, outage.partitioned, outage.cpu_fraction, ttl_s)
