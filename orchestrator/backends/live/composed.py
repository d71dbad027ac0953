"""A backend made of its four parts: hands each call to the part that it belongs to."""

from collections.abc import Collection, Mapping

from chaos.controller import FaultSurface
from chaos.fault import Impairments
from orchestrator.backends.base import Lifecycle, Routing, Telemetry, Traffic
from orchestrator.telemetry.window import Window
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import Release


class Composed:
    """Who extends it makes the parts, and closes them."""

    _lifecycle: Lifecycle
    _traffic: Traffic
    _telemetry: Telemetry
    _fault_surface: FaultSurface

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

    async def observe(self, step: int, open_breakers: Collection[Service] = ()) -> Window:
        return await self._telemetry.observe(step, open_breakers)

    async def apply(
        self, target: ReplicaId, impairments: Impairments, step: int, ttl_s: float
    ) -> Impairments | None:
        return await self._fault_surface.apply(target, impairments, step, ttl_s)
