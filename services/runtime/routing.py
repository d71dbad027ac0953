"""Where to call: addresses and open breakers, as pushed by the orchestrator. Discovers nothing."""

import asyncio
import itertools
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from services.mesh.topology import Service

Address = Annotated[str, StringConstraints(pattern=r"^https?://[^/]+$")]


class RoutingTable(BaseModel):
    """The wire shape of PUT /routing: service -> replica -> base address."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoints: dict[Service, dict[str, Address]]
    open_breakers: frozenset[Service] = frozenset()


class Routing:
    """The table in force, replaced whole; any thread may replace it, the data loop reads it."""

    def __init__(self) -> None:
        self._table = RoutingTable(endpoints={})
        self._turns = {service: itertools.count() for service in Service}
        self._known: Future[None] = Future()

    def replace(self, table: RoutingTable) -> None:
        self._table = table
        if not self._known.done():
            self._known.set_result(None)

    async def known(self) -> None:
        """Returns once the first table has come."""
        await asyncio.shield(asyncio.wrap_future(self._known))

    def next_address(self, callee: Service) -> str | None:
        """The replica whose turn it is: round-robin per call, nothing ejected."""
        addresses = tuple(self.replicas(callee).values())
        return addresses[next(self._turns[callee]) % len(addresses)] if addresses else None

    def replicas(self, callee: Service) -> Mapping[str, str]:
        """Replica -> address of all that serve."""
        return self._table.endpoints.get(callee, {})

    def breaker_open(self, callee: Service) -> bool:
        return callee in self._table.open_breakers
