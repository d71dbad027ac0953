"""Tells callers where to call. Knows the addresses of the moment, and what each caller was told."""

import asyncio
from collections.abc import Mapping
from weakref import WeakKeyDictionary

from orchestrator.backends.base import Routing
from orchestrator.backends.live.control_client import ControlPorts, Neighbours
from orchestrator.backends.live.replicas import Life, Lives, unless_dead
from sre_autopilot.world.topology import CALLS, ENTRY, USERS, Service

Addresses = Mapping[Service, Mapping[str, str]]


class MeshTraffic:
    """Pushes only what is news: a fresh process knows nothing, an old one what it was told last."""

    def __init__(self, lives: Lives, control: ControlPorts) -> None:
        self._lives = lives
        self._control = control
        self._told: WeakKeyDictionary[Life, Neighbours] = WeakKeyDictionary()

    async def route(self, routing: Routing) -> None:
        """Waits until what is named serves. A dead replica has no address; what starts, but is
        not named, is told at the next call.
        """
        addresses = await self._addresses(routing)
        # Callees first: nobody is sent to a replica that does not know its own callees yet.
        for caller in (*reversed(Service), USERS):
            if callees := (ENTRY,) if caller == USERS else CALLS[Service(caller)]:
                news = Neighbours(
                    {callee: addresses[callee] for callee in callees},
                    tuple(callee for callee in callees if callee in routing.open_breakers),
                )
                callers = self._lives.lives(caller)
                await asyncio.gather(*(self._tell(process, news) for process in callers))

    async def _addresses(self, routing: Routing) -> Addresses:
        return {
            service: {
                str(replica): process.target.data_url
                for replica in routing.endpoints.get(service, ())
                if (process := await self._lives.serving(replica)) and process.target
            }
            for service in Service
        }

    async def _tell(self, caller: Life, news: Neighbours) -> None:
        if caller.serving is not None and self._told.get(caller) != news:
            await unless_dead(caller, self._control.route(caller.serving, news))
            self._told[caller] = news
