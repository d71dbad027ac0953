"""What `SRE_BACKEND=simulator` serves. Starts nothing, and waits for nothing."""

from typing import Self

from orchestrator.backends.base import Routing
from orchestrator.backends.live.composed import Composed
from orchestrator.settings import Settings
from sre_autopilot.simulator import NAME, parameters
from sre_autopilot.simulator.fault_surface import SimulatedFaultSurface
from sre_autopilot.simulator.lifecycle import SimulatedLifecycle
from sre_autopilot.simulator.mesh import SimulatedMesh
from sre_autopilot.simulator.telemetry import SimulatedTelemetry


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
