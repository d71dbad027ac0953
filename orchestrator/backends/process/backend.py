"""The process backend: a whole mesh on this machine, without containers."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

from orchestrator.backends.live.composed import Composed
from orchestrator.backends.live.control_client import ControlPorts
from orchestrator.backends.live.telemetry import MeshTelemetry
from orchestrator.backends.live.traffic import MeshTraffic
from orchestrator.backends.process.directory import MeshDirectory
from orchestrator.backends.process.fault_surface import ProcessFaultSurface
from orchestrator.backends.process.lifecycle import READY_TIMEOUT_S, ProcessLifecycle
from orchestrator.backends.process.supervisor import ZYGOTE_COMMAND, Supervisor
from orchestrator.settings import Settings
from orchestrator.telemetry.spans import SpanReceiver, SpanStore

STEP_SECONDS = 0.5


class ProcessBackend(Composed):
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
        self._lifecycle: ProcessLifecycle = ProcessLifecycle(
            self._supervisor, self._directory, self._receiver, ready_timeout_s=ready_timeout_s
        )
        self._traffic = MeshTraffic(self._lifecycle, self._control)
        self._telemetry = MeshTelemetry(self._lifecycle, self._control, spans, step_seconds)
        self._fault_surface = ProcessFaultSurface(self._lifecycle, self._control)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(settings.step_seconds or STEP_SECONDS)

    async def aclose(self) -> None:
        async with AsyncExitStack() as last_to_first:
            last_to_first.callback(self._directory.remove)
            last_to_first.push_async_callback(self._control.aclose)
            last_to_first.push_async_callback(self._receiver.aclose)
            last_to_first.push_async_callback(self._supervisor.aclose)
            last_to_first.push_async_callback(self._lifecycle.aclose)
