"""payment_gateway: authorises charges at a provider that takes its time. Keeps no money."""

import asyncio
import itertools

from fastapi import FastAPI
from pydantic import BaseModel, Field

from services.runtime.app import Runtime
from services.runtime.draws import Purpose
from sre_autopilot.world.topology import PROVIDER_DELAY_MEDIAN_MS, PROVIDER_DELAY_SIGMA


class Charge(BaseModel):
    """What is to be paid."""

    amount_cents: int = Field(gt=0)


class Authorisation(BaseModel):
    """The provider's word that it will be."""

    id: int
    amount_cents: int


def install(app: FastAPI, runtime: Runtime) -> None:
    numbers = itertools.count(1)

    @app.post("/charges")
    async def authorise(charge: Charge) -> Authorisation:
        await asyncio.sleep(
            runtime.draws.delay_s(
                Purpose.PROVIDER_DELAY, PROVIDER_DELAY_MEDIAN_MS, PROVIDER_DELAY_SIGMA
            )
        )
        return Authorisation(id=next(numbers), amount_cents=charge.amount_cents)
