"""The control port, over which the orchestrator reads and steers one process. Serves no user, and
nobody without the mesh's token.
"""

import asyncio
from typing import Literal

from fastapi import FastAPI, Response
from pydantic import BaseModel, ConfigDict

from services.runtime.app import MeshApp, Runtime
from services.runtime.authorization import TokenMiddleware
from services.runtime.governor import Governor
from services.runtime.impairments import ImpairmentControl, Impairments
from services.runtime.routing import RoutingTable
from sre_autopilot.world.signals import (
    IMPAIRMENT_DIGEST,
    METRICS_LENGTH,
    METRICS_MEDIA_TYPE,
    ControlRoute,
)
from sre_autopilot.world.topology import LIMITS
from sre_autopilot.world.vocabulary import Release

USERS_CORES = 1.0


class Health(BaseModel):
    """Which process answers."""

    status: Literal["healthy"] = "healthy"
    replica: str
    release: Release


class ReleaseOrder(BaseModel):
    """The release and the seed of the episode."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    release: Release
    seed: int


def create_control(runtime: Runtime, data_loop: asyncio.AbstractEventLoop) -> FastAPI:
    """The control port's app; it runs in a loop of its own and steers what runs in `data_loop`."""
    spec, routing = runtime.spec, runtime.routing
    cores = LIMITS[spec.service].cpu_limit_cores if spec.service else USERS_CORES
    governor = Governor(data_loop, cores)
    impairment = ImpairmentControl(runtime.link, governor, runtime.held_connections, data_loop)
    runtime.metrics.gauge(
        IMPAIRMENT_DIGEST, "Stands for the impairments in force; 0: none", lambda: impairment.digest
    )
    app = MeshApp()
    app.add_middleware(TokenMiddleware, token=spec.token)

    @app.get(ControlRoute.HEALTH)
    async def health() -> Health:
        return Health(replica=runtime.spec.name, release=runtime.spec.release)

    @app.get(ControlRoute.METRICS)
    async def metrics() -> Response:
        return Response(runtime.metrics.page(), media_type=METRICS_MEDIA_TYPE)

    @app.put(ControlRoute.ROUTING)
    async def route(table: RoutingTable) -> RoutingTable:
        routing.replace(table)
        await asyncio.shield(asyncio.wrap_future(runtime.warm))
        return table

    @app.put(ControlRoute.IMPAIRMENTS)
    async def impair(impairments: Impairments) -> Impairments:
        return await impairment.apply(impairments)

    @app.get(ControlRoute.RELEASE)
    async def assigned() -> ReleaseOrder:
        return ReleaseOrder(release=runtime.spec.release, seed=runtime.spec.seed)

    @app.put(ControlRoute.RELEASE)
    async def assign(order: ReleaseOrder) -> ReleaseOrder:
        runtime.assign(order.release, order.seed)
        return order

    @app.post(ControlRoute.FLUSH)
    async def flush() -> Response:
        # Counters first: they are read as of now, while spans carry their own times.
        page = runtime.metrics.window_page()
        spans = runtime.tracing.ended.take()
        return Response(page + spans, headers={METRICS_LENGTH: str(len(page))})

    return app
