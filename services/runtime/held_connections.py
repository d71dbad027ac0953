"""Database connections that a leak keeps: own checkouts, or cursors left open at a callee.

Each is a task that ends when it is released, or by itself when the database dies.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import httpx

from services.runtime.authorization import bearer
from services.runtime.cursor import CURSOR_PATHS
from services.runtime.pool import Pool, PoolExhausted
from services.runtime.routing import Routing
from sre_autopilot.world.topology import Service

OPENING_TIMEOUT_S = 0.4

Opened = asyncio.Future[None]


@dataclass(frozen=True, slots=True)
class HeldConnection:
    """One connection, held from when `opened` is done until `task` is."""

    task: asyncio.Task[None]
    opened: Opened

    @property
    def is_open(self) -> bool:
        return self.opened.done() and not self.task.done()


class HeldConnections:
    """Converges on the desired number of held connections; belongs to the data loop.

    token: of the mesh, which databases ask for.
    """

    def __init__(self, replica: str, routing: Routing, token: str | None = None) -> None:
        self.pool: Pool | None = None
        self._replica = replica
        self._routing = routing
        self._held: dict[str, list[HeldConnection]] = {}
        self._client = httpx.AsyncClient(
            headers=bearer(token), timeout=None, trust_env=False, verify=False
        )

    async def converge(self, desired: Mapping[str, int]) -> None:
        """Opens and releases connections until there are `desired`, by database replica.

        Returns within OPENING_TIMEOUT_S; those not open by then keep waiting, as a leak would.
        """
        for replica in {*self._held, *desired}:
            self._set_count(replica, desired.get(replica, 0))
        opening = [one.opened for held in self._held.values() for one in held]
        if opening:
            await asyncio.wait(opening, timeout=OPENING_TIMEOUT_S)

    def open(self, replicas: Iterable[str]) -> dict[str, int]:
        """How many are open now, per replica. Thread-safe."""
        return {r: sum(one.is_open for one in self._held.get(r, ())) for r in replicas}

    @property
    def idle(self) -> bool:
        return not any(self._held.values())

    async def aclose(self) -> None:
        """Releases everything."""
        released = [one.task for held in self._held.values() for one in held]
        await self.converge({})
        await asyncio.gather(*released, return_exceptions=True)
        await self._client.aclose()

    def _set_count(self, replica: str, desired: int) -> None:
        alive = [one for one in self._held.get(replica, ()) if not one.task.done()]
        for surplus in alive[desired:]:
            surplus.task.cancel()
        missing = max(0, desired - len(alive))
        self._held[replica] = alive[:desired] + [self._open(replica) for _ in range(missing)]

    def _open(self, replica: str) -> HeldConnection:
        opened: Opened = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._keep(replica, opened))
        task.add_done_callback(lambda _: _settle(opened))
        return HeldConnection(task, opened)

    async def _keep(self, replica: str, opened: Opened) -> None:
        with contextlib.suppress(PoolExhausted, httpx.HTTPError):
            if replica == self._replica:
                await self._checkout(opened)
            else:
                await self._cursor(replica, opened)

    async def _checkout(self, opened: Opened) -> None:
        if self.pool is None:
            return
        async with self.pool.connection():
            _settle(opened)
            await asyncio.Event().wait()

    async def _cursor(self, replica: str, opened: Opened) -> None:
        callee = Service(replica.rpartition("-")[0])
        address = self._routing.replicas(callee).get(replica)
        if address is None:
            return
        url = f"{address}{CURSOR_PATHS[callee]}?limit=1&follow=true"
        async with self._client.stream("GET", url) as response:
            if response.is_error:
                return
            async for _ in response.aiter_raw():
                _settle(opened)


def _settle(opened: Opened) -> None:
    if not opened.done():
        opened.set_result(None)
