"""The docker backend: the mesh of a Compose stack, steered from inside the stack."""

import asyncio
from collections.abc import Collection
from contextlib import AsyncExitStack
from typing import Self

from chaos.broker_client import BrokerClient
from orchestrator.backends.base import Routing
from orchestrator.backends.docker.chaos_client import ChaosClient
from orchestrator.backends.docker.claim import StackClaim
from orchestrator.backends.docker.fault_surface import DockerFaultSurface
from orchestrator.backends.docker.lifecycle import DockerLifecycle
from orchestrator.backends.docker.supervisor import Supervisor
from orchestrator.backends.live.control_client import ControlClient
from orchestrator.backends.live.telemetry import MeshTelemetry
from orchestrator.backends.live.traffic import MeshTraffic
from orchestrator.settings import DOCKER, Settings
from orchestrator.telemetry.window import Window
from sre_autopilot.world.stack import STEP_SECONDS
from sre_autopilot.world.topology import USER_TIMEOUT_S, Service

SETTLE_S = 2 * USER_TIMEOUT_S
"""From the first routing of an episode to its first window."""


class DockerBackend(DockerLifecycle):
    """The lifecycle of one stack's containers, with the traffic, telemetry and faults of its mesh.

    Connects to nothing until `launch`. All its methods belong to one event loop. A stack holds one
    mesh: a second backend that launches in it raises StackUnavailable.
    """

    name = DOCKER

    def __init__(self, settings: Settings) -> None:
        token = settings.mesh_token.get_secret_value() if settings.mesh_token else None
        control = ControlClient(token=token)
        broker = BrokerClient(settings.broker_urls.split(","), token=token)
        chaos = ChaosClient(settings.chaos_url, token=token)
        super().__init__(Supervisor(broker, control), chaos)
        self.step_seconds = settings.step_seconds or STEP_SECONDS
        self._claim = StackClaim(f"{settings.broker_urls} {token}")
        self._broker = broker
        self._control = control
        self._telemetry = MeshTelemetry(self, control, self.step_seconds)
        self._traffic = MeshTraffic(self, control)
        self._is_launched_anew = False
        self.apply = DockerFaultSurface(self, control, self._chaos).apply

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(settings)

    async def launch(self, seed: int) -> None:
        self._claim.take()
        await super().launch(seed)
        self._is_launched_anew = True

    async def route(self, routing: Routing) -> None:
        await self._traffic.route(routing)
        if self._is_launched_anew:
            # The users go on between episodes. What they called while a standby was stopped or a
            # replica started anew hangs, and its first calls are slow: in the first window, both
            # would look like a fault.
            await asyncio.sleep(SETTLE_S)
            self._is_launched_anew = False

    async def observe(self, step: int, open_breakers: Collection[Service] = ()) -> Window:
        window = await self._telemetry.observe(step, open_breakers)
        await self.mark_restarted_externally()
        return window

    async def aclose(self) -> None:
        async with AsyncExitStack() as last_to_first:
            last_to_first.push_async_callback(self._broker.aclose)
            last_to_first.push_async_callback(self._chaos.aclose)
            last_to_first.push_async_callback(self._control.aclose)
            last_to_first.push_async_callback(self._claim.aclose)
            last_to_first.push_async_callback(self._supervisor.aclose)
            last_to_first.push_async_callback(super().aclose)
