"""What `SRE_BACKEND=simulator` serves. Starts nothing, and waits for nothing."""

from typing import Self

from orchestrator.backends.base import Routing
from orchestrator.backends.composed import Composed
from orchestrator.backends.simulator import NAME, parameters
from orchestrator.backends.simulator.fault_surface import SimulatedFaultSurface
from orchestrator.backends.simulator.lifecycle import SimulatedLifecycle
from orchestrator.backends.simulator.mesh import SimulatedMesh
from orchestrator.backends.simulator.telemetry import SimulatedTelemetry
from orchestrator.settings import Settings


class SimulatedTraffic:
    """Tells simulated callers where to call."""

    def __init__(self, mesh: SimulatedMesh) -> None:
        self._mesh = mesh

    async def route(self, routing: Routing) -> None:
        self._mesh.route(routing)


class SimulatorBackend(Composed):
    """Composes the four parts over one simulated mesh.

    of_backend: the real backend whose fitted parameters it takes.
    """

    name = NAME
    step_seconds = 0.0

    def __init__(self, of_backend: str = "process") -> None:
        self._mesh = mesh = SimulatedMesh(parameters.load(of_backend))
        self._lifecycle = SimulatedLifecycle(mesh)
        self._traffic = SimulatedTraffic(mesh)
        self._telemetry = SimulatedTelemetry(mesh)
        self._fault_surface = SimulatedFaultSurface(mesh)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(settings.simulator_of)

    async def aclose(self) -> None:
        """There is nothing to end."""
