"""The server as an ASGI application, and the command that runs it.

    uvicorn server.app:app --host 0.0.0.0 --port 8000
    python -m server.app --port 8000

Importing this module starts nothing. `app` is made when it is first asked for, with the settings of
the variables SRE_...; where one is wrong, the program ends with a line that names it.
"""

import argparse
import gc
import os
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from starlette.middleware.body_limit import RequestBodyLimitMiddleware

from orchestrator.backends import make_backend
from orchestrator.errors import CannotListen
from orchestrator.secrecy import Secrecy
from orchestrator.settings import Settings
from server.advice import advice_routes
from server.connection_limits import MAX_MESSAGE_BYTES, raise_open_files, uvicorn_limits
from server.console.assets import asset_routes
from server.console.page import page_routes
from server.debrief import debrief_routes
from server.environment import DESCRIPTION, SREEnvironment
from server.error_response import handle_errors
from server.grading import grading_routes
from server.http_middleware import (
    HeadMiddleware,
    QuestionQueueMiddleware,
    RelativeRedirectMiddleware,
)
from server.mcp_http import McpClientMiddleware, McpClients
from server.messages import CREATE_SESSION, MessageMiddleware, rpc_refusal
from server.metrics_door import serving_metrics
from server.monitoring import Monitoring
from server.openapi_document import DocumentedApp
from server.openenv_compat import HTTP_API_VERSION, guard_mcp_route, register_routes
from server.pager import pager_routes
from server.preparation import Preparation
from server.problem_middleware import ProblemMiddleware
from server.rate_limits import Cost, RateLimits
from server.readiness import readiness_routes
from server.records import record_routes
from server.routes import control_routes, information_routes
from server.schemas import Problem
from server.sessions import SessionServer
from server.sockets import SocketMiddleware
from server.startup import log_to_stderr, metrics_tokens, say_mode
from server.uvicorn_options import check_port, check_uvicorn_options, refuse_several_workers
from server.watching import watch_routes
from server.workers.forwarding import ForwardingMiddleware
from server.workers.place import Place
from server.workers.supervisor import supervise
from sre_autopilot.capacity import sessions_at_once
from sre_autopilot.checked_settings import MakeBackend, check_settings, settings_from_env
from sre_autopilot.errors import InvalidSettings, InvalidValue

HOST, PORT = "0.0.0.0", 8000
SHUTDOWN_TIMEOUT_S = 5
BAD_INPUT = 2
"""Exit status of a server that cannot start with what it was given."""
FULL_COLLECTION_AFTER = 100
"""Collections of the middle generation between two full ones: a full one stops every session for as
long as it takes to look at all of their episodes."""


def create_app(
    settings: Settings, make_backend: MakeBackend = make_backend, place: Place | None = None
) -> FastAPI:
    """An application that starts no mesh: the first reset of a session starts its own.

    place: where this process stands among several workers of one server; None for one alone.

    Raises UnknownName, InvalidValue for settings that cannot be; see `check_settings`.
    """
    check_settings(settings, make_backend)
    monitoring, secrecy = Monitoring(), Secrecy.of(settings)
    preparation = Preparation(settings)
    sessions = SessionServer(
        lambda session_id: SREEnvironment(
            settings,
            monitoring,
            session_id,
            make_backend,
            secrecy=secrecy,
            prepared=preparation.wait,
        ),
        sessions_at_once(settings) if place is None else place.memory.max_sessions,
        settings.session_lease_s,
        names_by_clients=secrecy is None,
        place=place,
    )
    limits = RateLimits(settings, store=None if place is None else place.memory)
    mcp_clients = McpClients(sessions, limits)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        metrics: AbstractAsyncContextManager[None] = nullcontext()  # a supervisor serves them
        if place is None:
            say_mode(settings)
            where = settings.metrics_host, settings.metrics_port
            metrics = serving_metrics(monitoring.registry, *where, metrics_tokens(settings))
        async with metrics, preparation.running(), sessions.running(), mcp_clients.running():
            _warm_up(app)
            with _rare_full_collections():
                yield

    def refusal_of_call(request: Request, body: bytes) -> dict[str, Any] | None:
        if CREATE_SESSION in body:
            limits.admit(Cost.RESETS, request.scope)
        return rpc_refusal(body)

    app = DocumentedApp(
        title="SRE Autopilot Environment",
        version=HTTP_API_VERSION,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # FastAPI's own load their scripts from another host
        redoc_url=None,
        responses={503: {"model": Problem}},  # of any route, where too many requests wait
    )
    register_routes(app, sessions)
    for router in (
        control_routes(sessions, settings, limits),
        readiness_routes(sessions, settings, preparation),
        information_routes(settings),
        grading_routes(sessions, limits),
        record_routes(settings),
        debrief_routes(settings, sessions, limits),
        watch_routes(sessions, settings),
        pager_routes(sessions),
        advice_routes(settings, sessions),
        page_routes(settings),
        asset_routes(),
    ):
        app.include_router(router)
    guard_mcp_route(app, refusal_of_call, tags=["MCP"])
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=MAX_MESSAGE_BYTES)
    app.add_middleware(MessageMiddleware)
    app.add_middleware(SocketMiddleware, attach=sessions.attach, detach=sessions.detach)
    app.add_middleware(McpClientMiddleware, clients=mcp_clients, max_body_bytes=MAX_MESSAGE_BYTES)
    app.add_middleware(RelativeRedirectMiddleware)
    app.add_middleware(QuestionQueueMiddleware)
    app.add_middleware(ProblemMiddleware)
    app.add_middleware(HeadMiddleware)
    if place is not None:
        app.add_middleware(ForwardingMiddleware, place=place, metrics=monitoring.as_text)
    handle_errors(app)
    return app


def run(host: str = HOST, port: int = PORT, workers: int = 1) -> None:
    """Serves until SIGTERM or Ctrl-C. Raises InvalidSettings, CannotListen, InvalidValue."""
    settings = settings_from_env(os.environ)
    if workers != 1:
        supervise(settings, (host, port), workers, lambda s, place: create_app(s, place=place))
        return
    app = create_app(settings)
    check_port(host, port)
    raise_open_files()
    log_to_stderr()
    uvicorn.run(
        app,
        host=host,
        port=port,
        workers=1,  # whatever WEB_CONCURRENCY says: uvicorn's own know nothing of sessions
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
        **uvicorn_limits(settings.ping_timeout_s),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line. Ends with status 2 and a line on standard error where it cannot start."""
    parser = argparse.ArgumentParser(
        prog="server", description="Serve the environment; settings are the variables SRE_..."
    )
    parser.add_argument("--host", default=HOST, help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=PORT, help="port (%(default)s)")
    parser.add_argument(
        "--workers", type=int, default=1, help="processes that serve it; simulator (%(default)s)"
    )
    options = parser.parse_args(arguments)
    try:
        run(options.host, options.port, options.workers)
    except (InvalidSettings, InvalidValue, CannotListen) as error:
        parser.exit(BAD_INPUT, f"{parser.prog}: {error}\n")


def _warm_up(app: FastAPI) -> None:
    """Makes the schema of all routes: 50 ms, before there is a session that would wait."""
    app.openapi()


@contextmanager
def _rare_full_collections() -> Iterator[None]:
    """Keeps the garbage collector from stopping all sessions often: what exists by now is never
    looked at again, and full collections are rare.
    """
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*thresholds[:2], FULL_COLLECTION_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def __getattr__(name: str) -> FastAPI:
    """`app`, for uvicorn and OpenEnv, which import it by this name (PEP 562).

    Exits with status 2 and a line on standard error where the server cannot start.
    """
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        refuse_several_workers()
        settings = settings_from_env(os.environ)
        app = globals()["app"] = create_app(settings)
        check_uvicorn_options(settings.ping_timeout_s)
    except (InvalidSettings, InvalidValue, CannotListen) as error:
        sys.stderr.write(f"server: {error}\n")
        sys.exit(BAD_INPUT)
    return app


if __name__ == "__main__":
    main()
