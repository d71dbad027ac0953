"""Database connections kept from everybody else: own checkouts, or cursors left open at a callee.

Each hold is a task that ends when it is released, or by itself when the other side dies.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import httpx

from services.runtime.cursor import CURSOR_PATHS
from services.runtime.pool import Pool, PoolExhausted
from services.runtime.routing import Routing
from sre_autopilot.world.topology import Service

OPENING_TIMEOUT_S = 0.4

Opened = asyncio.Future[None]


@dataclass(frozen=True, slots=True)
class Hold:
    """One connection: held from when `opened` is done until `task` is."""

    task: asyncio.Task[None]
    opened: Opened

    @property
    def is_open(self) -> bool:
        return self.opened.done() and not self.task.done()


class Holds:
    """Converges on the wanted number of held connections; the data loop owns it."""

    def __init__(self, replica: str, routing: Routing) -> None:
        self.pool: Pool | None = None
        self._replica = replica
        self._routing = routing
        self._holds: dict[str, list[Hold]] = {}
        self._client = httpx.AsyncClient(timeout=None, trust_env=False, verify=False)

    async def hold(self, wanted: Mapping[str, int]) -> None:
        """Opens what is missing and releases what is too much.

        Returns within OPENING_TIMEOUT_S; what is not open by then goes on trying, as a leak would.
        """
        for replica in {*self._holds, *wanted}:
            self._converge(replica, wanted.get(replica, 0))
        opening = [hold.opened for holds in self._holds.values() for hold in holds]
        if opening:
            await asyncio.wait(opening, timeout=OPENING_TIMEOUT_S)

    def open(self, replicas: Iterable[str]) -> dict[str, int]:
        """How many are open now, per replica. Any thread may ask."""
        return {r: sum(hold.is_open for hold in self._holds.get(r, ())) for r in replicas}

    @property
    def idle(self) -> bool:
        return not any(self._holds.values())

    async def aclose(self) -> None:
        """Releases everything."""
        released = [hold.task for holds in self._holds.values() for hold in holds]
        await self.hold({})
        await asyncio.gather(*released, return_exceptions=True)
        await self._client.aclose()

    def _converge(self, replica: str, wanted: int) -> None:
        alive = [hold for hold in self._holds.get(replica, ()) if not hold.task.done()]
        for surplus in alive[wanted:]:
            surplus.task.cancel()
        missing = max(0, wanted - len(alive))
        self._holds[replica] = alive[:wanted] + [self._open(replica) for _ in range(missing)]

    def _open(self, replica: str) -> Hold:
        opened: Opened = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._keep(replica, opened))
        task.add_done_callback(lambda _: _settle(opened))
        return Hold(task, opened)

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
            async for _ in response.aiter_raw():
                _settle(opened)


def _settle(opened: Opened) -> None:
    if not opened.done():
        opened.set_result(None)
