"""api_gateway: the three journeys of the users, each one or two calls. Holds no state."""

from collections.abc import Awaitable
from http import HTTPStatus
from typing import Any

import httpx
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.responses import Response

from services.runtime.app import Runtime
from services.runtime.downstream import BreakerOpen
from sre_autopilot.world.topology import Service

NO_PRODUCTS = {"products": [], "degraded": True}
GUEST = {"token": "guest", "degraded": True}
QUEUED = {"id": None, "reserved": False, "charged": False, "degraded": True}


class Claim(BaseModel):
    name: str
    password: str


class Purchase(Claim):
    item: int
    quantity: int = 1


async def answer_or(fallback: dict[str, Any], call: Awaitable[httpx.Response]) -> Response:
    """The callee's answer, or `fallback` while its breaker is open."""
    try:
        answer = await call
    except BreakerOpen:
        answer = httpx.Response(HTTPStatus.OK, json=fallback)
    return Response(answer.content, answer.status_code, media_type="application/json")


def install(app: FastAPI, runtime: Runtime) -> None:
    calls = runtime.downstream

    @app.get("/browse")
    async def browse(after: int = -1) -> Response:
        page = f"/products?after={after}"
        return await answer_or(NO_PRODUCTS, calls.get(Service.PRODUCT_SERVICE, page))

    @app.post("/login")
    async def login(claim: Claim) -> Response:
        who = claim.model_dump(include={"name", "password"})
        return await answer_or(GUEST, calls.post(Service.AUTH_SERVICE, "/sessions", who))

    @app.post("/checkout")
    async def checkout(purchase: Purchase) -> Response:
        signed_in = await login(purchase)
        if signed_in.status_code != HTTPStatus.OK:
            return signed_in
        basket = purchase.model_dump(exclude={"password"})
        return await answer_or(QUEUED, calls.post(Service.ORDER_SERVICE, "/orders", basket))
