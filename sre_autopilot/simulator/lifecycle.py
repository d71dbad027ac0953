"""Starts, kills and counts simulated replicas; each is ready at once."""

from collections.abc import Mapping

from sre_autopilot.simulator.mesh import SimulatedMesh
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.vocabulary import Release


class SimulatedLifecycle:
    """Keeps nothing of its own."""

    def __init__(self, mesh: SimulatedMesh) -> None:
        self._mesh = mesh

    async def launch(self, seed: int) -> None:
        self._mesh.launch(seed)

    async def start(self, replica: ReplicaId, release: Release) -> None:
        # What is brought back after a kill has the time until the next window to warm up.
        self._mesh.begin_life(replica, within_window=replica not in self._mesh.dead)

    async def restart(self, replica: ReplicaId) -> None:
        self._mesh.begin_life(replica)

    async def stop(self, replica: ReplicaId) -> None:
        self._mesh.end_life(replica)

    async def ready(self, replicas: frozenset[ReplicaId]) -> None:
        """They are."""

    def dead(self) -> Mapping[ReplicaId, int]:
        return dict(self._mesh.dead)
