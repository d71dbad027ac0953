"""product_service: lists what inventory_db streams. Caches nothing."""

import json

from fastapi import FastAPI
from starlette.responses import JSONResponse, Response

from services.runtime.app import Runtime
from services.runtime.catalogue import PAGE_ITEMS
from services.runtime.cursor import CURSOR_PATHS
from services.runtime.downstream import BreakerOpen
from sre_autopilot.world.topology import Service


def install(app: FastAPI, runtime: Runtime) -> None:
    items_path = CURSOR_PATHS[Service.INVENTORY_DB]

    @app.get("/products")
    async def products(after: int = -1) -> Response:
        page = f"{items_path}?after={after}&limit={PAGE_ITEMS}"
        try:
            stream = await runtime.downstream.get(Service.INVENTORY_DB, page)
        except BreakerOpen:
            return JSONResponse({"products": [], "degraded": True})
        items = [json.loads(line) for line in stream.iter_lines()]
        products = [
            {"id": i["id"], "name": i["name"], "price_cents": i["price_cents"]}
            for i in items
            if i["stock"] > 0
        ]
        return JSONResponse({"products": products, "degraded": False})
