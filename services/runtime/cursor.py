"""An answer streamed from a database cursor, one JSON document a line. Never holds two pages."""

from pydantic_core import to_json
from sqlalchemy import Executable
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.runtime.link import hung_up
from services.runtime.pool import Pool
from sre_autopilot.world.topology import Service

CURSOR_PATHS = {Service.USER_DB: "/users", Service.INVENTORY_DB: "/items"}
"""Where a database streams its table from."""
PAGE_ROWS = 50


class CursorResponse(Response):
    """Holds a connection of `pool` while the stream is open.

    values: of the statement's parameters. With `follow` the cursor stays open after the last row
    until the caller hangs up.
    """

    media_type = "application/x-ndjson"

    def __init__(
        self, pool: Pool, statement: Executable, *, follow: bool, **values: object
    ) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._pool = pool
        self._statement = statement
        self._follow = follow
        self._values = values

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Begins only when a connection is there, so that PoolExhausted can still be answered."""
        async with self._pool.connection() as connection:
            result = connection.execute(
                self._statement, self._values, execution_options={"yield_per": PAGE_ROWS}
            )
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            for page in result.mappings().partitions():
                await self._pool.storage_delay()
                lines = b"".join(to_json(dict(row)) + b"\n" for row in page)
                await send({"type": "http.response.body", "body": lines, "more_body": True})
            if self._follow:
                await hung_up(receive)
            result.close()
        await send({"type": "http.response.body", "body": b"", "more_body": False})
