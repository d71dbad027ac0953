"""SQLite behind a bounded connection pool, as the database services use it.

A statement keeps its connection for the storage delay. A call that finds the pool empty waits, and
fails after POOL_CHECKOUT_TIMEOUT_S. The pool never overflows.

SQLite answers a statement in less time than it takes to hand one to a thread, so it runs in the
data loop; what takes time, the storage and the wait for a connection, is awaited.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge
from sqlalchemy import (
    Connection,
    Executable,
    QueuePool,
    RowMapping,
    Table,
    create_engine,
    event,
)

from services.runtime.draws import Draws, Purpose
from sre_autopilot.world.signals import POOL_CONNECTIONS, POOL_PENDING, POOL_TIMEOUTS
from sre_autopilot.world.topology import (
    POOL_CHECKOUT_TIMEOUT_S,
    POOL_SIZE,
    STORAGE_CONTENTION,
    STORAGE_DELAY_MEDIAN_MS,
    STORAGE_DELAY_SIGMA,
)


class PoolExhausted(Exception):
    """No connection became free in time."""


class Pool:
    """One database file and its connections; belongs to the data loop."""

    def __init__(self, file: Path, draws: Draws, registry: CollectorRegistry) -> None:
        self._file = file
        self._draws = draws
        self._engine = create_engine(
            f"sqlite:///{file}",
            poolclass=QueuePool,
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_reset_on_return=None,
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
        )
        event.listen(self._engine, "connect", _prepare)
        self._free = asyncio.Semaphore(POOL_SIZE)
        used = Gauge(POOL_CONNECTIONS, "Connections checked out", registry=registry)
        used.set_function(self.checked_out)
        self._pending = Gauge(POOL_PENDING, "Calls that wait for a connection", registry=registry)
        self._timeouts = Counter(POOL_TIMEOUTS, "Waits that were given up", registry=registry)

    async def open(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Makes the file anew with `rows` in `table`."""
        for leftover in self._file.parent.glob(f"{self._file.name}*"):
            leftover.unlink()
        with self._engine.connect() as connection:
            table.create(connection)
            connection.execute(table.insert(), list(rows))

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection of the pool, given back at the end. Raises PoolExhausted."""
        if self._free.locked():
            with self._pending.track_inprogress(), self._counted_timeout():
                async with asyncio.timeout(POOL_CHECKOUT_TIMEOUT_S):
                    await self._free.acquire()
        else:
            await self._free.acquire()  # at once
        try:
            with self._engine.connect() as connection:
                yield connection
        finally:
            self._free.release()

    async def rows(self, query: Executable, **values: object) -> Sequence[RowMapping]:
        """All rows of a query with these values of its parameters. Raises PoolExhausted."""
        async with self.connection() as connection:
            rows = connection.execute(query, values).mappings().all()
            await self.storage_delay()
            return rows

    async def change(self, statement: Executable, **values: object) -> int:
        """How many rows a statement with these values changed. Raises PoolExhausted."""
        async with self.connection() as connection:
            result = connection.execute(statement, values)
            await self.storage_delay()
            return result.rowcount

    @contextmanager
    def _counted_timeout(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            self._timeouts.inc()
            raise PoolExhausted(f"no connection within {POOL_CHECKOUT_TIMEOUT_S:g} s") from error

    async def storage_delay(self) -> None:
        """The time that shared storage would take, spent with the connection checked out."""
        slowed = 1.0 + STORAGE_CONTENTION * (self.checked_out() - 1)
        median_ms = STORAGE_DELAY_MEDIAN_MS * slowed
        await asyncio.sleep(
            self._draws.delay_s(Purpose.STORAGE_DELAY, median_ms, STORAGE_DELAY_SIGMA)
        )

    def checked_out(self) -> int:
        pool = self._engine.pool
        assert isinstance(pool, QueuePool)
        return pool.checkedout()

    async def aclose(self) -> None:
        self._engine.dispose()


def _prepare(connection: Any, _record: Any) -> None:
    """WAL lets cursors read while stock is written. The file is temporary, so never synced."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=OFF")
    cursor.close()
