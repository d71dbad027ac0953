"""product_service: lists what inventory_db streams. Caches nothing."""

from typing import Any

from fastapi import FastAPI
from pydantic_core import from_json

from services.runtime.app import Runtime
from services.runtime.catalogue import PAGE_ITEMS
from services.runtime.cursor import CURSOR_PATHS
from services.runtime.downstream import BreakerOpen
from sre_autopilot.world.topology import Service


def install(app: FastAPI, runtime: Runtime) -> None:
    items_path = CURSOR_PATHS[Service.INVENTORY_DB]

    @app.get("/products")
    async def products(after: int = -1) -> dict[str, Any]:
        page = f"{items_path}?after={after}&limit={PAGE_ITEMS}"
        try:
            stream = await runtime.downstream.get(Service.INVENTORY_DB, page)
        except BreakerOpen:
            return {"products": [], "degraded": True}
        items = [from_json(line) for line in stream.content.splitlines()]
        products = [
            {"id": i["id"], "name": i["name"], "price_cents": i["price_cents"]}
            for i in items
            if i["stock"] > 0
        ]
        return {"products": products, "degraded": False}
