"""The process backend: a whole mesh on this machine, without containers."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

from chaos.fault import Impairments
from orchestrator.backends.base import Routing
from orchestrator.backends.control_port import ControlPorts
from orchestrator.backends.process.directory import MeshDirectory
from orchestrator.backends.process.fault_surface import ProcessFaultSurface
from orchestrator.backends.process.lifecycle import READY_TIMEOUT_S, ProcessLifecycle
from orchestrator.backends.process.supervisor import ZYGOTE_COMMAND, Supervisor
from orchestrator.backends.routing import MeshTraffic
from orchestrator.backends.telemetry import MeshTelemetry
from orchestrator.settings import Settings
from orchestrator.telemetry.spans import SpanReceiver, SpanStore
from orchestrator.telemetry.window import Window
from services.mesh.deployment import ReplicaId
from services.mesh.vocabulary import Release

STEP_SECONDS = 0.5


class ProcessBackend:
    """Composes lifecycle, traffic, telemetry and fault surface over one zygote.

    Costs nothing until `launch`. All its methods belong to one event loop.
    """

    name = "process"

    def __init__(
        self,
        step_seconds: float = STEP_SECONDS,
        *,
        zygote: Sequence[str] = ZYGOTE_COMMAND,
        temp_root: Path | None = None,
        ready_timeout_s: float = READY_TIMEOUT_S,
    ) -> None:
        self.step_seconds = step_seconds
        spans = SpanStore()
        self._directory = MeshDirectory(temp_root)
        self._receiver = SpanReceiver(spans)
        self._control = ControlPorts()
        self._supervisor = Supervisor(self._directory, zygote)
        self._lifecycle = ProcessLifecycle(
            self._supervisor, self._directory, self._receiver, ready_timeout_s=ready_timeout_s
        )
        self._traffic = MeshTraffic(self._lifecycle, self._control)
        self._telemetry = MeshTelemetry(self._lifecycle, self._control, spans, step_seconds)
        self._fault_surface = ProcessFaultSurface(self._lifecycle, self._control)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(settings.step_seconds or STEP_SECONDS)

    async def launch(self, seed: int) -> None:
        await self._lifecycle.launch(seed)

    async def start(self, replica: ReplicaId, release: Release) -> None:
        await self._lifecycle.start(replica, release)

    async def restart(self, replica: ReplicaId) -> None:
        await self._lifecycle.restart(replica)

    async def stop(self, replica: ReplicaId) -> None:
        await self._lifecycle.stop(replica)

    async def ready(self, replicas: frozenset[ReplicaId]) -> None:
        await self._lifecycle.ready(replicas)

    def dead(self) -> Mapping[ReplicaId, int]:
        return self._lifecycle.dead()

    async def route(self, routing: Routing) -> None:
        await self._traffic.route(routing)

    async def observe(self, step: int) -> Window:
        return await self._telemetry.observe(step)

    async def apply(
        self, target: ReplicaId, impairments: Impairments, step: int, ttl_s: float
    ) -> Impairments | None:
        return await self._fault_surface.apply(target, impairments, step, ttl_s)

    async def aclose(self) -> None:
        async with AsyncExitStack() as last_to_first:
            last_to_first.callback(self._directory.remove)
            last_to_first.push_async_callback(self._control.aclose)
            last_to_first.push_async_callback(self._receiver.aclose)
            last_to_first.push_async_callback(self._supervisor.aclose)
            last_to_first.push_async_callback(self._lifecycle.aclose)
