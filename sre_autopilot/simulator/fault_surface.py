"""Where impairments meet simulated replicas. They hold until changed: there is no clock."""

from chaos.fault import Impairments
from sre_autopilot.simulator.mesh import SimulatedMesh
from sre_autopilot.world.deployment import ReplicaId


class SimulatedFaultSurface:
    """Keeps nothing of its own."""

    def __init__(self, mesh: SimulatedMesh) -> None:
        self._mesh = mesh

    async def apply(
        self, target: ReplicaId, impairments: Impairments, step: int, ttl_s: float
    ) -> Impairments | None:
        if not self._mesh.runs(target):
            return None
        self._mesh.impair(target, impairments, step)
        return impairments
