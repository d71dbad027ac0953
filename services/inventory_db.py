"""inventory_db: items and their stock behind a bounded pool. Never knows what an order is."""

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field
from sqlalchemy import Column, Integer, MetaData, String, Table, bindparam, select, update
from starlette.responses import Response

from services.runtime.app import Runtime
from services.runtime.catalogue import ITEM_COUNT, STOCK
from services.runtime.cursor import CURSOR_PATHS, CursorResponse
from sre_autopilot.world.topology import Service

ITEMS = Table(
    "items",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("name", String),
    Column("price_cents", Integer),
    Column("stock", Integer),
)
ROWS = tuple(
    {"id": index, "name": f"item {index}", "price_cents": 100 + 7 * index, "stock": STOCK}
    for index in range(ITEM_COUNT)
)


class Reservation(BaseModel):
    """So many of one item."""

    quantity: int = Field(gt=0)


def install(app: FastAPI, runtime: Runtime) -> None:
    pool = runtime.database(ITEMS, ROWS)
    after_id = ITEMS.c.id > bindparam("after")
    page = select(ITEMS).where(after_id).order_by(ITEMS.c.id).limit(bindparam("limit"))
    enough = (ITEMS.c.id == bindparam("item")) & (ITEMS.c.stock >= bindparam("quantity"))
    taking = update(ITEMS).where(enough).values(stock=ITEMS.c.stock - bindparam("quantity"))

    @app.get(CURSOR_PATHS[Service.INVENTORY_DB])
    async def stream(after: int = -1, limit: int = ITEM_COUNT, follow: bool = False) -> Response:
        return CursorResponse(pool, page, follow=follow, after=after, limit=limit)

    @app.post("/items/{item}/reservations")
    async def reserve(item: int, reservation: Reservation) -> Reservation:
        if not await pool.change(taking, item=item, quantity=reservation.quantity):
            raise HTTPException(409, f"item {item} is out of stock")
        return reservation
