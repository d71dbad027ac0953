"""The docker backend: the mesh of a Compose stack, moved from inside the stack."""

import errno
from collections.abc import Collection
from contextlib import AsyncExitStack
from typing import Self

from chaos.broker_client import BrokerClient
from orchestrator.backends.docker.chaos_client import Chaos
from orchestrator.backends.docker.fault_surface import DockerFaultSurface
from orchestrator.backends.docker.lifecycle import DockerLifecycle
from orchestrator.backends.docker.supervisor import Supervisor
from orchestrator.backends.live.composed import Composed
from orchestrator.backends.live.control_client import ControlPorts
from orchestrator.backends.live.telemetry import MeshTelemetry
from orchestrator.backends.live.traffic import MeshTraffic
from orchestrator.errors import StackUnavailable
from orchestrator.settings import Settings
from orchestrator.telemetry.spans import SpanReceiver, SpanStore
from orchestrator.telemetry.window import Window
from sre_autopilot.world.stack import STEP_SECONDS
from sre_autopilot.world.topology import Service


class DockerBackend(Composed):
    """Composes lifecycle, traffic, telemetry and fault surface over one stack.

    Costs nothing until `launch`. All its methods belong to one event loop. There is one mesh in a
    stack: a second backend that launches is told so.
    """

    name = "docker"

    def __init__(self, settings: Settings) -> None:
        self.step_seconds = settings.step_seconds or STEP_SECONDS
        host, _, port = settings.spans_address.rpartition(":")
        spans = SpanStore()
        self._receiver = SpanReceiver(spans, host, int(port))
        self._broker = BrokerClient(settings.broker_urls.split(","))
        self._chaos = Chaos(settings.chaos_url)
        self._control = ControlPorts()
        self._supervisor = Supervisor(self._broker, self._control)
        self._lifecycle: DockerLifecycle = DockerLifecycle(self._supervisor, self._chaos)
        self._traffic = MeshTraffic(self._lifecycle, self._control)
        self._telemetry = MeshTelemetry(self._lifecycle, self._control, spans, self.step_seconds)
        self._fault_surface = DockerFaultSurface(self._lifecycle, self._control, self._chaos)

    async def launch(self, seed: int) -> None:
        try:
            await self._receiver.start()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise StackUnavailable("another session plays in this stack") from error
            raise StackUnavailable(f"cannot listen for spans: {error}") from error
        await super().launch(seed)

    async def reconcile(self) -> None:
        """Heals the stack and stops its standbys; costs no episode. Raises BackendError."""
        await self._lifecycle.reconcile()

    async def observe(self, step: int, open_breakers: Collection[Service] = ()) -> Window:
        window = await super().observe(step, open_breakers)
        await self._lifecycle.disown_strangers()
        return window

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(settings)

    async def aclose(self) -> None:
        async with AsyncExitStack() as last_to_first:
            last_to_first.push_async_callback(self._broker.aclose)
            last_to_first.push_async_callback(self._chaos.aclose)
            last_to_first.push_async_callback(self._control.aclose)
            last_to_first.push_async_callback(self._receiver.aclose)
            last_to_first.push_async_callback(self._supervisor.aclose)
            last_to_first.push_async_callback(self._lifecycle.aclose)
