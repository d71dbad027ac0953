"""Applies impairments to processes: each impairs itself, ordered over its control port."""

from chaos.fault import Impairments
from orchestrator.backends.live.control_client import ControlClient
from orchestrator.backends.live.replicas import ReplicaSet, unless_exited
from sre_autopilot.world.deployment import ReplicaId


class ProcessFaultSurface:
    """Passes impairments on; keeps none."""

    def __init__(self, replicas: ReplicaSet, control: ControlClient) -> None:
        self._replicas = replicas
        self._control = control

    async def apply(
        self, target: ReplicaId, impairments: Impairments, step: int, ttl_s: float
    ) -> Impairments | None:
        """Waits for a target that is starting; None too where the impairment itself killed it."""
        handle = await self._replicas.serving(target)
        if handle is None or handle.serving is None:
            return None
        return await unless_exited(
            handle, self._control.impair(handle.serving, impairments, step, ttl_s)
        )
