"""The simulator behind the API: one simulated mesh as a `Backend`. Starts nothing, never waits."""

from collections.abc import Collection, Mapping
from typing import Self

from chaos.fault import Impairments
from orchestrator.backends.base import Routing
from orchestrator.settings import Settings
from orchestrator.telemetry.window import Window
from sre_autopilot.simulator import NAME, parameters
from sre_autopilot.simulator.mesh import SimulatedMesh
from sre_autopilot.simulator.telemetry import measured_window
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import Release


class SimulatorBackend:
    """See `orchestrator.backends.base` for what each method promises.

    of_backend: the real backend whose fitted parameters it takes. Raises UnknownName.
    """

    name = NAME
    step_seconds = 0.0

    def __init__(self, of_backend: str = "process") -> None:
        self._mesh = SimulatedMesh(parameters.load(of_backend))

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(settings.simulator_of)

    async def launch(self, seed: int) -> None:
        self._mesh.launch(seed)

    async def start(self, replica: ReplicaId, release: Release) -> None:
        # What is brought back after a kill has the time until the next window to warm up.
        self._mesh.start(replica, within_window=replica not in self._mesh.dead)

    async def restart(self, replica: ReplicaId) -> None:
        self._mesh.start(replica)

    async def stop(self, replica: ReplicaId) -> None:
        self._mesh.stop(replica)

    async def ready(self, replicas: frozenset[ReplicaId]) -> None:
        """Simulated replicas are ready at once."""

    def dead(self) -> Mapping[ReplicaId, int]:
        return dict(self._mesh.dead)

    async def route(self, routing: Routing) -> None:
        self._mesh.route(routing)

    async def observe(self, step: int, open_breakers: Collection[Service] = ()) -> Window:
        return measured_window(self._mesh.window(step), self._mesh.seed, step, open_breakers)

    async def apply(
        self, target: ReplicaId, impairments: Impairments, step: int, ttl_s: float
    ) -> Impairments | None:
        """`ttl_s` is ignored: there is no clock, so impairments last until they are changed."""
        if not self._mesh.runs(target):
            return None
        self._mesh.impair(target, impairments, step)
        return impairments

    async def aclose(self) -> None:
        """Nothing was started."""
