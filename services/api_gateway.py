"""api_gateway: the three journeys of the users, each a few calls. Holds no state."""

from collections.abc import Awaitable
from typing import Any

import httpx
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.responses import Response

from services.mesh.topology import Service
from services.runtime.app import Runtime
from services.runtime.downstream import BreakerOpen

NO_PRODUCTS = {"products": [], "degraded": True}
GUEST = {"token": "guest", "degraded": True}
QUEUED = {"id": None, "reserved": False, "charged": False, "degraded": True}


class Claim(BaseModel):
    """Who somebody says to be."""

    name: str
    password: str


class Purchase(Claim):
    """What somebody buys."""

    item: int
    quantity: int = 1


async def answer_or(fallback: dict[str, Any], call: Awaitable[httpx.Response]) -> Response:
    """The callee's answer, or `fallback` while its breaker is open."""
    try:
        answer = await call
    except BreakerOpen:
        answer = httpx.Response(200, json=fallback)
    return Response(answer.content, answer.status_code, media_type="application/json")


def install(app: FastAPI, runtime: Runtime) -> None:
    calls = runtime.downstream

    @app.get("/browse")
    async def browse(after: int = -1) -> Response:
        products = calls.get(Service.PRODUCT_SERVICE, f"/products?after={after}")
        return await answer_or(NO_PRODUCTS, products)

    @app.post("/login")
    async def login(claim: Claim) -> Response:
        session = calls.post(Service.AUTH_SERVICE, "/sessions", claim.model_dump())
        return await answer_or(GUEST, session)

    @app.post("/checkout")
    async def checkout(purchase: Purchase) -> Response:
        signed_in = await login(purchase)
        if signed_in.status_code != 200:
            return signed_in
        basket = purchase.model_dump(include={"item", "quantity"}) | {"customer": purchase.name}
        order = calls.post(Service.ORDER_SERVICE, "/orders", basket)
        return await answer_or(QUEUED, order)
