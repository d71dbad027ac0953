"""The API of chaos: outages of replicas as desired states over HTTP. Injects nothing by itself.

python -m chaos.daemon.app
"""

import argparse
import logging
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Self

import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from pydantic import BaseModel, ConfigDict, Field

from chaos.broker_client import BrokerClient, BrokerUnavailable
from chaos.daemon.outages import HealReason, Outage, Outages
from services.runtime.authorization import TokenMiddleware
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.signals import (
    HEALED,
    LABEL_REASON,
    METRICS_MEDIA_TYPE,
    OUTAGES,
    ControlRoute,
)
from sre_autopilot.world.stack import CHAOS_PORT, REPLICAS, TOKEN_VARIABLE

BROKERS_VARIABLE = "SRE_BROKER_URLS"
BROKER_TIMEOUT_S = 2.0
"""Of a broker's answers, which take 60 ms: short, so that the next one is asked soon."""
SHUTDOWN_TIMEOUT_S = 1

_BY_NAME = {str(replica): replica for replica in REPLICAS}
_UNAVAILABLE = 503
_INVALID_BODY = 422


class Impairment(BaseModel):
    """The outage in force at one replica; see Outage."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    partitioned: float = Field(ge=0.0, le=1.0)
    cpu_fraction: float = Field(gt=0.0, le=1.0)

    @classmethod
    def of(cls, outage: Outage) -> Self:
        return cls(partitioned=outage.partitioned, cpu_fraction=outage.cpu_fraction)


class Order(Impairment):
    """An outage, and for how long."""

    ttl_s: float = Field(gt=0.0, allow_inf_nan=False)


def create_app(broker: BrokerClient, token: str | None = None) -> FastAPI:
    """Owns `broker`. Heals what an earlier daemon left at its start, its own outages at its end.

    token: what orders and readers of metrics must carry; None: nothing.
    """
    registry = CollectorRegistry(auto_describe=False)
    healed = Counter(HEALED, "Replicas healed", (LABEL_REASON,), registry=registry)
    for reason in HealReason:
        healed.labels(reason)
    outages = Outages(broker, lambda reason: healed.labels(reason).inc())
    impaired = Gauge(OUTAGES, "Replicas impaired now", registry=registry)
    impaired.set_function(lambda: outages.impaired)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        outages.reap()
        yield
        await outages.aclose()
        await broker.aclose()

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.add_middleware(TokenMiddleware, token=token, open_paths={ControlRoute.HEALTH})
    app.add_exception_handler(BrokerUnavailable, _broker_unavailable)
    app.add_exception_handler(RequestValidationError, _invalid_body)

    @app.get(ControlRoute.HEALTH)
    async def health() -> dict[str, str]:
        if not outages.reaped:
            raise HTTPException(_UNAVAILABLE, "still healing what an earlier daemon left behind")
        return {"status": "healthy"}

    @app.get(ControlRoute.METRICS)
    async def metrics() -> Response:
        return Response(generate_latest(registry), media_type=METRICS_MEDIA_TYPE)

    @app.get(ControlRoute.IMPAIRMENTS)
    async def applied() -> dict[str, Impairment]:
        return {str(r): Impairment.of(outage) for r, outage in outages.applied.items()}

    @app.put(f"{ControlRoute.IMPAIRMENTS}/{{replica}}")
    async def impair(replica: str, order: Order) -> Impairment:
        outage = Outage(order.partitioned, order.cpu_fraction)
        await outages.apply(_replica_named(replica), outage, order.ttl_s)
        return Impairment.of(outage)

    @app.delete(ControlRoute.IMPAIRMENTS)
    async def heal() -> dict[str, Impairment]:
        await outages.heal_all()
        return await applied()

    return app


def _replica_named(name: str) -> ReplicaId:
    if name not in _BY_NAME:
        raise HTTPException(404, f"no replica {name!r}; there are {', '.join(_BY_NAME)}")
    return _BY_NAME[name]


async def _broker_unavailable(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, _UNAVAILABLE)


async def _invalid_body(_request: Request, error: Exception) -> JSONResponse:
    # FastAPI's own handler would repeat the input, and JSON has no NaN.
    assert isinstance(error, RequestValidationError)
    problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
    return JSONResponse({"detail": "; ".join(problems)}, _INVALID_BODY)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves until SIGTERM; orders go to the brokers named in SRE_BROKER_URLS."""
    parser = argparse.ArgumentParser(description="Apply outages to replicas.")
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=CHAOS_PORT, help="port (%(default)s)")
    options = parser.parse_args(arguments)
    urls = [url.strip() for url in os.environ.get(BROKERS_VARIABLE, "").split(",") if url.strip()]
    if not urls:
        parser.error(
            f"{BROKERS_VARIABLE} must name the brokers: http://HOST:PORT, separated by commas"
        )
    logging.basicConfig(format="%(levelname)s %(name)s %(message)s")
    token = os.environ.get(TOKEN_VARIABLE) or None
    uvicorn.run(
        create_app(BrokerClient(urls, BROKER_TIMEOUT_S, token=token), token),
        host=options.host,
        port=options.port,
        access_log=False,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
    )


if __name__ == "__main__":
    main()
