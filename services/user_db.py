"""user_db: the users table behind a bounded pool. Never checks a password."""

import hashlib
from typing import Any

from fastapi import FastAPI, HTTPException
from sqlalchemy import Column, Integer, MetaData, String, Table, bindparam, select
from starlette.responses import Response

from services.runtime.app import Runtime
from services.runtime.catalogue import USER_COUNT, password, user_name
from services.runtime.cursor import CURSOR_PATHS, CursorResponse
from sre_autopilot.world.topology import Service

HASH_ITERATIONS = 400
"""Few: about 0.2 ms of CPU, for this is a load to watch, not a secret to keep."""

USERS = Table(
    "users",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("name", String, unique=True),
    Column("password", String),
)


def _row(index: int) -> dict[str, Any]:
    """A user; the password in the usual form, algorithm$iterations$salt$digest."""
    salt = f"{index:08x}"
    digest = hashlib.pbkdf2_hmac(
        "sha256", password(index).encode(), bytes.fromhex(salt), HASH_ITERATIONS
    )
    hashed = f"pbkdf2_sha256${HASH_ITERATIONS}${salt}${digest.hex()}"
    return {"id": index, "name": user_name(index), "password": hashed}


ROWS = tuple(_row(index) for index in range(USER_COUNT))


def install(app: FastAPI, runtime: Runtime) -> None:
    pool = runtime.database(USERS, ROWS)
    by_name = select(USERS).where(USERS.c.name == bindparam("name"))
    all_users = select(USERS).order_by(USERS.c.id).limit(bindparam("limit"))

    @app.get("/users/{name}")
    async def find(name: str) -> dict[str, Any]:
        rows = await pool.rows(by_name, name=name)
        if not rows:
            raise HTTPException(404, f"no user {name!r}")
        return dict(rows[0])

    @app.get(CURSOR_PATHS[Service.USER_DB])
    async def stream(limit: int = USER_COUNT, follow: bool = False) -> Response:
        return CursorResponse(pool, all_users, follow=follow, limit=limit)
