"""The process backend: a whole mesh on this machine, without containers."""

import secrets
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

from orchestrator.backends.live.control_client import ControlClient
from orchestrator.backends.live.telemetry import MeshTelemetry
from orchestrator.backends.live.traffic import MeshTraffic
from orchestrator.backends.process.directory import MeshDirectory
from orchestrator.backends.process.fault_surface import ProcessFaultSurface
from orchestrator.backends.process.lifecycle import READY_TIMEOUT_S, ProcessLifecycle
from orchestrator.backends.process.supervisor import ZYGOTE_COMMAND, Supervisor
from orchestrator.settings import PROCESS, Settings

STEP_SECONDS = 0.5


class ProcessBackend(ProcessLifecycle):
    """The lifecycle of one zygote's processes, with the traffic, telemetry and faults of its mesh.

    Starts nothing until `launch`. All its methods belong to one event loop.
    """

    name = PROCESS

    def __init__(
        self,
        step_seconds: float = STEP_SECONDS,
        *,
        zygote: Sequence[str] = ZYGOTE_COMMAND,
        temp_root: Path | None = None,
        ready_timeout_s: float = READY_TIMEOUT_S,
    ) -> None:
        directory = MeshDirectory(temp_root)
        token = secrets.token_urlsafe()  # other users of this machine can reach the ports
        super().__init__(
            Supervisor(directory, zygote),
            directory,
            ready_timeout_s=ready_timeout_s,
            token=token,
        )
        self.step_seconds = step_seconds
        self._control = ControlClient(token=token)
        self.route = MeshTraffic(self, self._control).route
        self.observe = MeshTelemetry(self, self._control, step_seconds).observe
        self.apply = ProcessFaultSurface(self, self._control).apply

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(settings.step_seconds or STEP_SECONDS)

    async def aclose(self) -> None:
        async with AsyncExitStack() as last_to_first:
            last_to_first.push_async_callback(self._control.aclose)
            last_to_first.push_async_callback(self._supervisor.aclose)
            last_to_first.push_async_callback(super().aclose)
