"""Pushes routing to callers: current addresses, and what each caller was sent last."""

import asyncio
from collections.abc import Mapping
from weakref import WeakKeyDictionary

from orchestrator.backends.base import Routing
from orchestrator.backends.live.control_client import CallerRouting, ControlClient
from orchestrator.backends.live.replicas import ReplicaHandle, ReplicaSet, unless_exited
from sre_autopilot.world.topology import CALLS, ENTRY, USERS, Service

Addresses = Mapping[Service, Mapping[str, str]]


class MeshTraffic:
    """Pushes only changes: a fresh process has no routing, an old one keeps what it was sent."""

    def __init__(self, replicas: ReplicaSet, control: ControlClient) -> None:
        self._replicas = replicas
        self._control = control
        self._pushed: WeakKeyDictionary[ReplicaHandle, CallerRouting] = WeakKeyDictionary()

    async def route(self, routing: Routing) -> None:
        """Waits until the replicas in `routing` serve. An exited one gets no address; a caller
        that still starts is sent its routing at the next call.
        """
        addresses = await self._addresses(routing)
        # Callees first, so that no call reaches a replica that has no routing yet.
        for caller in (*reversed(Service), USERS):
            if callees := (ENTRY,) if caller == USERS else CALLS[Service(caller)]:
                update = CallerRouting(
                    {callee: addresses[callee] for callee in callees},
                    tuple(callee for callee in callees if callee in routing.open_breakers),
                )
                callers = self._replicas.handles(caller)
                await asyncio.gather(*(self._push(handle, update) for handle in callers))

    async def _addresses(self, routing: Routing) -> Addresses:
        return {
            service: {
                str(replica): handle.target.data_url
                for replica in routing.endpoints.get(service, ())
                if (handle := await self._replicas.serving(replica)) and handle.target
            }
            for service in Service
        }

    async def _push(self, caller: ReplicaHandle, update: CallerRouting) -> None:
        if caller.serving is not None and self._pushed.get(caller) != update:
            await unless_exited(caller, self._control.route(caller.serving, update))
            self._pushed[caller] = update
