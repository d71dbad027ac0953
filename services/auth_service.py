"""auth_service: checks a password against user_db's hash and signs a token. Stores no user."""

import hashlib
import hmac

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from services.runtime.app import Runtime
from services.runtime.downstream import BreakerOpen
from sre_autopilot.world.topology import Service

GUEST = "guest"
"""The name on every token while user_db's breaker is open."""


class Credentials(BaseModel):
    """The name and password of a user."""

    name: str
    password: str


class Session(BaseModel):
    """A signed name."""

    token: str
    degraded: bool = False


def verify(password: str, hashed: str) -> bool:
    """Whether `password` is the one in algorithm$iterations$salt$digest; costs real CPU."""
    _, iterations, salt, digest = hashed.split("$")
    computed = hashlib.pbkdf2_hmac(
        "sha256", password.encode(), bytes.fromhex(salt), int(iterations)
    )
    return hmac.compare_digest(computed.hex(), digest)


def install(app: FastAPI, runtime: Runtime) -> None:
    secret = runtime.spec.seed.to_bytes(8, "big", signed=True)

    def session(name: str, *, degraded: bool = False) -> Session:
        signature = hmac.digest(secret, name.encode(), "sha256").hex()
        return Session(token=f"{name}.{signature}", degraded=degraded)

    @app.post("/sessions")
    async def log_in(claim: Credentials) -> Session:
        try:
            answer = await runtime.downstream.get(Service.USER_DB, f"/users/{claim.name}")
        except BreakerOpen:
            return session(GUEST, degraded=True)
        if answer.is_error or not verify(claim.password, answer.json()["password"]):
            raise HTTPException(401, "wrong name or password")
        return session(claim.name)
