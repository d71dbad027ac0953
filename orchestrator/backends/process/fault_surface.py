"""Where impairments meet processes: each impairs itself, told over its control port."""

from chaos.fault import Impairments
from orchestrator.backends.live.control_client import ControlPorts
from orchestrator.backends.live.replicas import unless_dead
from orchestrator.backends.process.lifecycle import ProcessLifecycle
from sre_autopilot.world.deployment import ReplicaId


class ProcessFaultSurface:
    """Passes impairments on; keeps none."""

    def __init__(self, lifecycle: ProcessLifecycle, control: ControlPorts) -> None:
        self._lifecycle = lifecycle
        self._control = control

    async def apply(
        self, target: ReplicaId, impairments: Impairments, step: int, ttl_s: float
    ) -> Impairments | None:
        """Waits for a target that is starting; None too where the impairment itself killed it."""
        process = await self._lifecycle.serving(target)
        if process is None or process.serving is None:
            return None
        return await unless_dead(
            process, self._control.impair(process.serving, impairments, step, ttl_s)
        )
