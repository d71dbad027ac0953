"""Where to call: addresses and open breakers, as pushed by the orchestrator. Discovers nothing."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from sre_autopilot.world.topology import Service

Address = Annotated[str, StringConstraints(pattern=r"^http://[^/]+$")]
"""Neighbours speak plain HTTP."""


class RoutingTable(BaseModel):
    """The body of PUT /routing: service -> replica -> base address."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoints: dict[Service, dict[str, Address]]
    open_breakers: frozenset[Service] = frozenset()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a replica serves. `generation` counts its returns to the table: old connections to a
    replica that was away are broken, though its address may be the same.
    """

    address: str
    generation: int


class Routing:
    """The table in force, replaced whole; any thread may replace it, the data loop reads it."""

    def __init__(self) -> None:
        self._table = RoutingTable(endpoints={})
        self._generations: Counter[str] = Counter()
        self._turns = {service: itertools.count() for service in Service}
        self._first_table: Future[None] = Future()

    def replace(self, table: RoutingTable) -> None:
        served = {r for replicas in self._table.endpoints.values() for r in replicas}
        serving = {r for replicas in table.endpoints.values() for r in replicas}
        self._generations.update(serving - served)
        self._table = table
        if not self._first_table.done():
            self._first_table.set_result(None)

    async def wait_for_table(self) -> None:
        """Returns once the first table has been pushed."""
        await asyncio.shield(asyncio.wrap_future(self._first_table))

    def next_endpoint(self, callee: Service) -> Endpoint | None:
        """The replica whose turn it is: round-robin per call, nothing ejected."""
        endpoints = self.endpoints(callee)
        return endpoints[next(self._turns[callee]) % len(endpoints)] if endpoints else None

    def endpoints(self, callee: Service) -> tuple[Endpoint, ...]:
        """All that serve, in the order of the table."""
        replicas = self.replicas(callee).items()
        return tuple(Endpoint(address, self._generations[replica]) for replica, address in replicas)

    def replicas(self, callee: Service) -> Mapping[str, str]:
        """Replica -> address of all that serve."""
        return self._table.endpoints.get(callee, {})

    def breaker_open(self, callee: Service) -> bool:
        return callee in self._table.open_breakers
