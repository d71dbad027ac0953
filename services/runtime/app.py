"""The parts that one process is made of, and the app of its data port."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.telemetry import TelemetryConfig
from sqlalchemy import Table
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.types import ASGIApp

from services.runtime.admission import AdmissionMiddleware
from services.runtime.authorization import TokenMiddleware
from services.runtime.downstream import CallFailed, Downstream, MeshTransport
from services.runtime.draws import Draws
from services.runtime.held_connections import HeldConnections
from services.runtime.link import Link, LinkMiddleware
from services.runtime.mesh_route import MeshRoute
from services.runtime.metrics import Metrics
from services.runtime.pool import Pool, PoolExhausted
from services.runtime.routing import Routing
from services.runtime.server_span import ServerSpanMiddleware
from services.runtime.spec import ProcessSpec
from services.runtime.tracing import Tracing
from sre_autopilot.world.signals import Outcome
from sre_autopilot.world.topology import CALL_TIMEOUT_S, LIMITS, USER_TIMEOUT_S
from sre_autopilot.world.vocabulary import Release


class Runtime:
    """The parts of one process that its handlers use and its control port steers.

    Created after the fork; shares nothing with another process or another app.
    """

    def __init__(self, spec: ProcessSpec, collector: str | None = None) -> None:
        self.spec = spec
        self.metrics = Metrics(spec.runtime_memory_mb, spec.quota_file)
        self.tracing = Tracing(spec, collector)
        self.draws = Draws(spec.draw_seed)
        self.routing = Routing()
        self.link = Link(self.draws)
        self.held_connections = HeldConnections(spec.name, self.routing, spec.token)
        self.warm: Future[None] = Future()
        """Done when calls cost what they will cost from now on. The users set it, see `traffic`."""
        self.warm.set_result(None)
        self._pool: Pool | None = None
        self._opening: Callable[[], Awaitable[None]] | None = None
        mesh = MeshTransport(
            self.timeout_s,
            self.routing,
            self.link,
            self.metrics,
            tracer=self.tracing.tracer,
            token=spec.token,
        )
        self.downstream = Downstream(mesh, self.routing, self.metrics)

    def assign(self, release: Release, seed: int) -> None:
        """Takes on another release and the draws of another episode, without a new process."""
        self.spec = replace(self.spec, release=release, seed=seed)
        self.draws.reseed(self.spec.draw_seed)

    @property
    def timeout_s(self) -> float:
        return USER_TIMEOUT_S if self.spec.service is None else CALL_TIMEOUT_S

    def database(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> Pool:
        """The process's own database, opened with `rows` in `table` when the app starts."""
        file = self.spec.data_dir / f"{self.spec.name}.sqlite"
        self._pool = self.held_connections.pool = Pool(file, self.draws, self.metrics.registry)
        self._opening = partial(self._pool.open, table, rows)
        return self._pool

    @asynccontextmanager
    async def running(self, _app: object = None) -> AsyncIterator[None]:
        """Opens and closes the parts that belong to the data loop."""
        if self._opening is not None:
            await self._opening()
        try:
            yield
        finally:
            await self.held_connections.aclose()
            await self.downstream.aclose()
            if self._pool is not None:
                await self._pool.aclose()


Install = Callable[[FastAPI, Runtime], None]
"""Adds a service's routes to an app."""


NO_TELEMETRY = TelemetryConfig(tracing=False, metrics=False, logs=False, auto_configure=False)
"""FastAPI's own. A mesh makes its spans and metrics itself."""


class MeshApp(FastAPI):
    """FastAPI with the layers that a call within the mesh needs, and none more."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            openapi_url=None, docs_url=None, redoc_url=None, telemetry=NO_TELEMETRY, **options
        )
        self.router.route_class = MeshRoute

    def build_middleware_stack(self) -> ASGIApp:
        """Those added by `add_middleware`, last one outermost, and the handlers of errors.

        Left out: the answer to an error that nobody handles, which uvicorn gives as well, limits
        on bodies, and exit stacks, which only FastAPI's own routes use.
        """
        app: ASGIApp = ExceptionMiddleware(self.router, handlers=self.exception_handlers)
        for layer, args, kwargs in reversed(self.user_middleware):
            app = layer(app, *args, **kwargs)
        return app


def create_app(runtime: Runtime, install: Install) -> FastAPI:
    """The data port's app of the replica that `runtime` belongs to."""
    service = runtime.spec.service
    assert service is not None, f"{runtime.spec.name} serves nothing"
    app = MeshApp(lifespan=runtime.running)
    app.add_middleware(
        AdmissionMiddleware, limit=LIMITS[service].in_flight_limit, metrics=runtime.metrics
    )
    app.add_exception_handler(CallFailed, _call_failed)
    app.add_exception_handler(PoolExhausted, _pool_exhausted)
    app.add_middleware(ServerSpanMiddleware, tracer=runtime.tracing.tracer)
    install(app, runtime)
    return app


def create_data_port(runtime: Runtime, install: Install) -> ASGIApp:
    """What the replica's data port serves. A call without the mesh's token meets nothing of it."""
    app = create_app(runtime, install)
    return TokenMiddleware(LinkMiddleware(app, runtime.link), runtime.spec.token)


async def _call_failed(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, CallFailed)
    status = 504 if error.outcome is Outcome.TIMEOUT else 502
    return JSONResponse({"detail": str(error)}, status)


async def _pool_exhausted(_request: Request, _error: Exception) -> JSONResponse:
    return JSONResponse({"detail": "no database connection came free"}, 503)
