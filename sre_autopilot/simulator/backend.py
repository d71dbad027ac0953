"""The simulator as a backend: one simulated mesh behind the protocols of the episode.

Starts no process and waits for nothing: a window takes as long as its arithmetic.
"""

from collections.abc import Mapping
from typing import Self

from chaos.fault import Impairments
from orchestrator.backends.base import Routing
from orchestrator.settings import Settings
from sre_autopilot.simulator import NAME, parameters
from sre_autopilot.simulator.mesh import SimulatedMesh
from sre_autopilot.simulator.telemetry import SimulatedTelemetry
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.vocabulary import Release


class SimulatorBackend:
    """Steers one simulated mesh, whose replicas are ready at once.

    of_backend: the real backend whose fitted parameters it takes.
    """

    name = NAME
    step_seconds = 0.0

    def __init__(self, of_backend: str = "process") -> None:
        self._mesh = SimulatedMesh(parameters.load(of_backend))
        self.observe = SimulatedTelemetry(self._mesh).observe

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(settings.simulator_of)

    async def launch(self, seed: int) -> None:
        self._mesh.launch(seed)

    async def start(self, replica: ReplicaId, release: Release) -> None:
        # A replica restarted after a kill has the time until the next window to warm up.
        self._mesh.begin_life(replica, within_window=replica not in self._mesh.dead)

    async def restart(self, replica: ReplicaId) -> None:
        self._mesh.begin_life(replica)

    async def stop(self, replica: ReplicaId) -> None:
        self._mesh.end_life(replica)

    async def ready(self, replicas: frozenset[ReplicaId]) -> None:
        """Returns at once."""

    def dead(self) -> Mapping[ReplicaId, int]:
        return dict(self._mesh.dead)

    async def route(self, routing: Routing) -> None:
        self._mesh.route(routing)

    async def apply(
        self, target: ReplicaId, impairments: Impairments, step: int, ttl_s: float
    ) -> Impairments | None:
        """In force until the next call: simulated time has no `ttl_s` to run out."""
        if not self._mesh.runs(target):
            return None
        self._mesh.impair(target, impairments, step)
        return impairments

    async def aclose(self) -> None:
        """Nothing to end."""
