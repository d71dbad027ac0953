"""Where impairments meet containers: a replica impairs itself, chaos cuts it off and starves it."""

from dataclasses import replace

from chaos.fault import NO_IMPAIRMENTS, Impairments
from orchestrator.backends.docker.chaos_client import Chaos
from orchestrator.backends.docker.lifecycle import DockerLifecycle
from orchestrator.backends.live.control_client import ControlPorts
from orchestrator.backends.live.replicas import unless_dead
from sre_autopilot.world.deployment import ReplicaId


class DockerFaultSurface:
    """Passes impairments on, each to whom it concerns."""

    def __init__(self, lifecycle: DockerLifecycle, control: ControlPorts, chaos: Chaos) -> None:
        self._lifecycle = lifecycle
        self._control = control
        self._chaos = chaos
        self._cut: set[ReplicaId] = set()

    async def apply(
        self, target: ReplicaId, impairments: Impairments, step: int, ttl_s: float
    ) -> Impairments | None:
        """Waits for a target that is starting; None too where the impairment itself killed it."""
        outside = replace(
            NO_IMPAIRMENTS,
            partitioned=impairments.partitioned,
            cpu_fraction=impairments.cpu_fraction,
        )
        if target in self._cut and outside == NO_IMPAIRMENTS:
            # First of all, and of dead ones too: whoever is starved answers late.
            await self._cut_off(target, outside, ttl_s)
            self._cut.discard(target)
        life = await self._lifecycle.serving(target)
        if life is None or life.serving is None:
            return None
        if impairments.memory_leak_mb:
            self._lifecycle.soil(target)
        inside = replace(impairments, partitioned=0.0, cpu_fraction=1.0)
        asked = self._control.impair(life.serving, inside, step, ttl_s)
        holds = await unless_dead(life, asked)
        if holds is None:
            return None
        if outside != NO_IMPAIRMENTS:
            self._cut.add(target)
            await self._cut_off(target, outside, ttl_s)
        return replace(holds, partitioned=outside.partitioned, cpu_fraction=outside.cpu_fraction)

    async def _cut_off(self, target: ReplicaId, outside: Impairments, ttl_s: float) -> None:
        await self._chaos.impair(target, outside.partitioned, outside.cpu_fraction, ttl_s)
