"""The server: OpenEnv's routes, ours in place of its stateless ones, and the page at /web.

uvicorn server.app:app --host 0.0.0.0 --port 8000
"""

import argparse
import gc
import logging
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from fastapi import FastAPI
from openenv.core.env_server.types import ServerMode

from chaos.tiers import drawing
from orchestrator.backends import make_backend, prepare
from orchestrator.settings import Settings
from server.console.page import page_routes
from server.environment import DESCRIPTION, VERSION, MakeBackend, SREEnvironment
from server.grading import grading_routes
from server.message_validation import SoundMessages, harden_mcp
from server.monitoring import Monitoring
from server.routes import control_routes, information_routes
from server.schemas import handle_errors
from server.sessions import SessionServer

STATELESS_PATHS = frozenset({"/reset", "/step", "/state"})
"""OpenEnv makes a new environment for each call of these; ours go by session."""
TASK_PATHS = "/{env_name}/"
"""OpenEnv's routes for sets of tasks begin so, and answer 501 where there are none."""
MAX_BODY_BYTES = 64 * 1024
SHUTDOWN_TIMEOUT_S = 5
FULL_COLLECTION_AFTER = 100
"""Smaller ones. A full one looks at every episode of every session while all of them wait."""


@contextmanager
def _collecting_seldom() -> Iterator[None]:
    """What is there by now stays: no session need wait while the collector looks at it."""
    usual = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*usual[:2], FULL_COLLECTION_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


def create_app(settings: Settings, make_backend: MakeBackend = make_backend) -> FastAPI:
    """Costs no mesh: the first reset of a session makes its own.

    Raises UnknownName, ValueError where the settings name a world or a fault that is not there.
    """
    make_backend(settings), drawing(settings.fault)
    monitoring = Monitoring()
    sessions = SessionServer(
        lambda session_id: SREEnvironment(settings, monitoring, session_id, make_backend),
        settings.max_sessions,
        settings.session_lease_s,
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        metrics = monitoring.served(settings.metrics_host, settings.metrics_port)
        async with metrics, sessions.running():
            await prepare(settings)
            with _collecting_seldom():
                yield

    app = FastAPI(
        title="SRE Autopilot Environment",
        version=VERSION,
        description=DESCRIPTION,
        lifespan=lifespan,
        max_body_size=MAX_BODY_BYTES,
    )
    sessions.register_routes(app, ServerMode.SIMULATION)
    app.router.routes[:] = [
        route
        for route in app.router.routes
        for path in [getattr(route, "path", "")]
        if path not in STATELESS_PATHS and not path.startswith(TASK_PATHS)
    ]
    for router in (
        control_routes(sessions, settings),
        information_routes(),
        grading_routes(sessions),
        page_routes(),
    ):
        app.include_router(router)
    harden_mcp(app)
    app.add_middleware(SoundMessages)
    handle_errors(app)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves until it is told to stop; settings come from the variables SRE_..."""
    parser = argparse.ArgumentParser(description="Serve the environment.")
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="port (%(default)s)")
    options = parser.parse_args(arguments)
    logging.basicConfig(format="%(levelname)s %(name)s %(message)s")
    logging.getLogger(__package__).setLevel(logging.INFO)
    uvicorn.run(
        app,
        host=options.host,
        port=options.port,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
    )


app = create_app(Settings.from_env(os.environ))

if __name__ == "__main__":
    main()
