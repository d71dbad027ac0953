"""order_service: reserves stock, charges, records the order. Knows no passwords."""

import itertools
from collections import deque

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

from services.runtime.app import Runtime
from services.runtime.downstream import BreakerOpen
from sre_autopilot.world.topology import Service

RECORDED_ORDERS = 1000
PRICE_CENTS = 999


class Basket(BaseModel):
    """The content of an order request."""

    name: str
    item: int
    quantity: int = Field(gt=0)


class Order(BaseModel):
    """A recorded order; a step that an open breaker skipped is False."""

    id: int
    name: str
    reserved: bool
    charged: bool


def install(app: FastAPI, runtime: Runtime) -> None:
    numbers = itertools.count(1)
    orders: deque[Order] = deque(maxlen=RECORDED_ORDERS)

    async def done(callee: Service, path: str, payload: dict[str, int]) -> bool:
        """Whether the callee did it; False while its breaker is open."""
        try:
            answer = await runtime.downstream.post(callee, path, payload)
        except BreakerOpen:
            return False
        if answer.is_error:
            raise HTTPException(answer.status_code, answer.json()["detail"])
        return True

    @app.post("/orders")
    async def order(basket: Basket) -> Order:
        quantity = {"quantity": basket.quantity}
        amount = {"amount_cents": basket.quantity * PRICE_CENTS}
        reserved = await done(Service.INVENTORY_DB, f"/items/{basket.item}/reservations", quantity)
        charged = await done(Service.PAYMENT_GATEWAY, "/charges", amount)
        orders.append(Order(id=next(numbers), name=basket.name, reserved=reserved, charged=charged))
        return orders[-1]

    @app.get("/orders")
    async def recorded() -> list[Order]:
        return list(orders)
