"""The broker of the Docker socket: a few verbs on the replicas and the traffic, nothing else.

The only program that has the socket. Two of them run in the stack, so that one answers while the
other is restarted.
"""

import argparse
import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType

import docker
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry, Counter, generate_latest
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from chaos.broker_client import ContainerListed, ContainerState
from orchestrator.broker.docker_engine import TIMEOUT_S, DockerEngine, EngineFailed
from orchestrator.broker.refusal_log import RefusalLog
from orchestrator.broker.reviver import RestartController
from orchestrator.broker.verbs import VERB, Broker, Engine
from services.runtime.authorization import TokenMiddleware
from sre_autopilot.errors import UnknownName
from sre_autopilot.world.signals import (
    BROKER_REFUSALS,
    BROKER_REVIVALS,
    LABEL_CONTAINER_NAME,
    LABEL_REASON,
    METRICS_MEDIA_TYPE,
    ControlRoute,
)
from sre_autopilot.world.stack import BROKER_PORT, PROJECT, TOKEN_VARIABLE

MAX_BODY_BYTES = 1024
SHUTDOWN_TIMEOUT_S = 1

log = logging.getLogger("orchestrator.broker.app")  # run as a program, __name__ is another


class Refusal(StrEnum):
    """Why a request was refused, for the count."""

    UNKNOWN_CONTAINER = "unknown_container"
    UNKNOWN_VERB = "unknown_verb"
    UNKNOWN_PATH = "unknown_path"
    WRONG_METHOD = "wrong_method"
    BAD_BODY = "bad_body"


HTTP_REFUSALS = MappingProxyType({404: Refusal.UNKNOWN_PATH, 405: Refusal.WRONG_METHOD})


def create_app(engine: Engine, project: str = PROJECT, token: str | None = None) -> FastAPI:
    """The broker over `engine`; its restart controller runs while the app does.

    token: what orders and readers of metrics must carry; None: nothing.
    """
    registry = CollectorRegistry(auto_describe=False)
    refusals = Counter(BROKER_REFUSALS, "Requests refused", (LABEL_REASON,), registry=registry)
    revivals = Counter(
        BROKER_REVIVALS, "Containers brought back", (LABEL_CONTAINER_NAME,), registry=registry
    )
    broker = Broker(engine, project)
    controller = RestartController(engine, lambda name: revivals.labels(name).inc())

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        controlling = asyncio.create_task(controller.run())
        yield
        controlling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await controlling

    app = FastAPI(
        openapi_url=None, lifespan=lifespan, redirect_slashes=False, max_body_size=MAX_BODY_BYTES
    )
    app.add_middleware(TokenMiddleware, token=token, open_paths={ControlRoute.HEALTH})

    @app.get(ControlRoute.HEALTH)
    async def health() -> dict[str, str]:
        return {"status": "healthy"}

    @app.get(ControlRoute.METRICS)
    async def metrics() -> Response:
        return Response(generate_latest(registry), media_type=METRICS_MEDIA_TYPE)

    @app.get("/containers")
    async def containers() -> dict[str, Mapping[str, ContainerListed]]:
        return {"containers": await broker.containers()}

    @app.get("/containers/{name}")
    async def state(name: str) -> ContainerState:
        return await broker.state(name)

    @app.post("/containers/{name}/{verb}")
    async def carry_out(name: str, verb: str, request: Request) -> ContainerState:
        return await broker.carry_out(name, verb, await request.body())

    _handle_errors(app, refusals)
    return app


def _handle_errors(app: FastAPI, refusals: Counter) -> None:
    """Refusals are logged and counted; failures of the engine are logged."""
    refusal_log = RefusalLog()

    async def refused(request: Request, error: Exception) -> JSONResponse:
        headers: Mapping[str, str] | None = None
        match error:
            case UnknownName(field=field):
                status, detail = 404, str(error)
                reason = Refusal.UNKNOWN_VERB if field == VERB else Refusal.UNKNOWN_CONTAINER
            case ValidationError():
                status, reason, detail = 422, Refusal.BAD_BODY, _first_problem(error)
            case HTTPException():
                status, headers, detail = error.status_code, error.headers, error.detail
                reason = HTTP_REFUSALS.get(status, Refusal.BAD_BODY)
            case _:
                raise error
        refusals.labels(reason).inc()
        refusal_log.refused(reason, request.method, request.url.path, detail)
        return JSONResponse({"detail": detail}, status, headers)

    async def failed(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, EngineFailed)
        log.warning("%s %s failed: %s", request.method, request.url.path, error)
        return JSONResponse({"detail": str(error)}, error.status)

    async def gone(_request: Request, _error: Exception) -> Response:
        """A caller that waits no longer has no answer; what it ordered is not begun."""
        return Response(status_code=400)

    app.add_exception_handler(ClientDisconnect, gone)
    for kind in (UnknownName, ValidationError, HTTPException):
        app.add_exception_handler(kind, refused)
    app.add_exception_handler(EngineFailed, failed)


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'body'}: {first['msg']}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves until SIGTERM; the engine is that of DOCKER_HOST, or else its default socket."""
    parser = argparse.ArgumentParser(description="Broker the Docker socket for one stack.")
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=BROKER_PORT, help="port (%(default)s)")
    options = parser.parse_args(arguments)
    logging.basicConfig(format="%(levelname)s %(name)s %(message)s")
    logging.getLogger("orchestrator").setLevel(logging.INFO)
    project = os.environ.get("SRE_PROJECT") or PROJECT
    token = os.environ.get(TOKEN_VARIABLE) or None
    with contextlib.closing(docker.from_env(timeout=TIMEOUT_S)) as client:
        uvicorn.run(
            create_app(DockerEngine(client.api, project), project, token),
            host=options.host,
            port=options.port,
            access_log=False,
            timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
        )


if __name__ == "__main__":
    main()
