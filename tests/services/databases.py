"""Database replicas on real ports, for tests of what holds their connections."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services import inventory_db, user_db
from services.runtime.app import Runtime, create_data_port
from services.runtime.pool import Pool
from sre_autopilot.world.topology import Service
from tests.services.neighbours import listening

INSTALL = {Service.USER_DB: user_db.install, Service.INVENTORY_DB: inventory_db.install}


@dataclass(frozen=True)
class Database:
    """A replica that serves."""

    runtime: Runtime
    address: str

    @property
    def pool(self) -> Pool:
        pool = self.runtime.held_connections.pool
        assert pool is not None
        return pool


@asynccontextmanager
async def serving(runtime: Runtime) -> AsyncIterator[Database]:
    """Serves the database that `runtime` is a replica of."""
    service = runtime.spec.service
    assert service is not None
    async with listening(create_data_port(runtime, INSTALL[service])) as address:
        yield Database(runtime, address)
