"""All that depends on the inside of OpenEnv's server: its import, its session table, its routes.

Written against one version; another one is refused at import. Nothing else in this package imports
OpenEnv's server, so that a new version of it is a matter of this file.
"""

import asyncio
import sys
import time
import uuid
from abc import ABC
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from typing import Any, Protocol

from fastapi import FastAPI, Request
from fastapi.routing import APIRoute

SUPPORTED = "0.10"
"""The first two numbers of the version; pyproject.toml allows the same."""
HTTP_API_VERSION = "1.0.0"
"""Of the routes, as `/openapi.json` has it: OpenEnv's validator reads the profile openenv-http/1.x
from it. The version of this package is in `/metadata`."""


def check_version(installed: str) -> None:
    """Raises ImportError for a version of OpenEnv that this module was not written against."""
    if installed.split(".")[:2] != SUPPORTED.split("."):
        raise ImportError(
            f"openenv {installed} is installed, but the server needs openenv {SUPPORTED}.*; "
            f"install it: pip install 'openenv=={SUPPORTED}.*'"
        )


@contextmanager
def without_gradio() -> Iterator[None]:
    """Makes `import gradio` fail, as where it is not installed; OpenEnv then goes on without it.

    It is needed for a page that is not served here, and takes 2 s and 80 MB.
    """
    if "gradio" in sys.modules:
        yield
        return
    sys.modules["gradio"] = None  # type: ignore[assignment]  # the import system reads it as "no"
    try:
        yield
    finally:
        del sys.modules["gradio"]


check_version(metadata.version("openenv"))
with without_gradio():
    from openenv.core.env_server import (
        ConcurrencyConfig,
        Environment,
        HTTPEnvServer,
        SessionCapacityError,
        SessionInfo,
    )
    from openenv.core.env_server.mcp_types import JsonRpcErrorCode, JsonRpcResponse
    from openenv.core.env_server.serialization import serialize_observation
    from openenv.core.env_server.types import EnvironmentMetadata, ServerMode

__all__ = [
    "HTTP_API_VERSION",
    "AsyncEnvironment",
    "EnvironmentMetadata",
    "JsonRpcErrorCode",
    "JsonRpcResponse",
    "SessionCapacityError",
    "SessionEnvironment",
    "SessionTable",
    "check_version",
    "guard_mcp_route",
    "register_routes",
    "serialize_observation",
    "without_gradio",
]

STATELESS_PATHS = frozenset({"/reset", "/step", "/state"})
"""OpenEnv makes a new environment for each call of these; ours go by session."""
TASK_PATHS = "/{env_name}/"
"""OpenEnv's routes for sets of tasks begin so, and answer 501 where there are none."""
MCP_PATH = "/mcp"


class AsyncEnvironment(Environment[Any, Any, Any], ABC):
    """OpenEnv's environment, played by `reset_async` and `step_async` only.

    OpenEnv calls the other two where these are missing, so that they are never called.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True

    def reset(self, *_args: Any, **_kwargs: Any) -> Any:
        raise NotImplementedError("play by reset_async")

    def step(self, *_args: Any, **_kwargs: Any) -> Any:
        raise NotImplementedError("play by step_async")


class SessionEnvironment(Protocol):
    """What the table needs of an environment in a session."""

    async def aclose(self) -> None:
        """Ends the session's mesh. Idempotent."""
        ...


class SessionTable(HTTPEnvServer):
    """OpenEnv's table of sessions, with names that clients may choose and closing by `await`.

    WebSocket, MCP and HTTP sessions are all in it. `reap` decides which idle ones end.
    """

    def __init__(
        self,
        make: Callable[[str | None], Any],
        wire: tuple[type, type, type],
        max_sessions: int,
        lease_s: float,
        *,
        name: str,
    ) -> None:
        """wire: the classes of action, observation and state."""
        self._make = make
        self._closing: set[asyncio.Task[None]] = set()
        action, observation, state = wire
        super().__init__(
            cache(lambda: make(None)),  # it holds nothing, and its tools take 15 ms to make
            action,
            observation,
            concurrency_config=ConcurrencyConfig(
                max_concurrent_envs=max_sessions, session_timeout=lease_s
            ),
            env_name=name,
            state_cls=state,
        )

    @property
    def names(self) -> frozenset[str]:
        """Of all sessions that are there."""
        return frozenset(self._sessions)

    def get(self, session_id: str) -> Any | None:
        """The environment of a session; None where there is no such session."""
        return self._sessions.get(session_id)

    def count_call(self, session_id: str) -> None:
        """A session that gets a call is not idle."""
        self._update_session_activity(session_id)

    def idle_s(self, session_id: str) -> float:
        """Seconds since the last call in the session."""
        info = self._session_info.get(session_id)
        return 0.0 if info is None else time.time() - info.last_activity_at

    async def create(self, session_id: str | None = None) -> tuple[str, Any]:
        """Name and environment of a session, a new one where there is none of that name.

        Raises SessionCapacityError.
        """
        async with self._session_lock:
            session_id = session_id or uuid.uuid4().hex
            if session_id not in self._sessions:
                if len(self._sessions) >= self._max_concurrent_envs:
                    raise SessionCapacityError(len(self._sessions), self._max_concurrent_envs)
                now = time.time()
                self._sessions[session_id] = environment = self._make(session_id)
                self._session_info[session_id] = SessionInfo(
                    session_id=session_id,
                    created_at=now,
                    last_activity_at=now,
                    environment_type=type(environment).__name__,
                )
            return session_id, self._sessions[session_id]

    async def destroy(self, session_id: str) -> None:
        """Ends a session; returns when its environment is closed."""
        await self._destroy_session(session_id)

    def start_reaping(self) -> None:
        """Runs `reap` in the background of the running event loop."""
        self._start_reaper()

    async def destroy_all(self) -> None:
        """Stops reaping and ends all sessions."""
        self._stop_reaper()
        for session_id in tuple(self._sessions):
            await self.destroy(session_id)
        await asyncio.gather(*self._closing, return_exceptions=True)

    async def reap(self) -> None:
        """Ends sessions for ever. A subclass says which, and when."""
        raise NotImplementedError

    # OpenEnv's own code calls these three.
    async def _create_session(self, session_id: str | None = None) -> tuple[str, Any]:
        return await self.create(session_id)

    async def _reap_idle_sessions(self) -> None:
        await self.reap()

    async def _cleanup_session_resources(
        self, env: SessionEnvironment | None, executor: object = None, stack: object = None
    ) -> None:
        # A socket whose client has gone cancels this; the environment is closed all the same.
        if env is not None:
            closing = asyncio.create_task(env.aclose())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
            await asyncio.shield(closing)


def register_routes(app: FastAPI, sessions: SessionTable) -> None:
    """Adds OpenEnv's routes but the stateless ones, which `server.routes` replaces, and those for
    sets of tasks.
    """
    sessions.register_routes(app, ServerMode.SIMULATION)
    app.router.routes[:] = [
        route
        for route in app.router.routes
        for path in [getattr(route, "path", "")]
        if path not in STATELESS_PATHS and not path.startswith(TASK_PATHS)
    ]


def guard_mcp_route(
    app: FastAPI,
    refusal: Callable[[Request, bytes], dict[str, Any] | None],
    tags: Collection[str],
) -> None:
    """Puts a check of the body before OpenEnv's POST /mcp, which answers some of them with 500.

    refusal: the answer to a body that the endpoint may not see, or None; may raise an error that
        has an answer.
    """
    (route,) = (r for r in app.routes if isinstance(r, APIRoute) and r.path == MCP_PATH)
    app.routes.remove(route)
    endpoint: Callable[[Request], Awaitable[dict[str, Any]]] = route.endpoint

    @app.post(MCP_PATH, tags=[*tags], summary="Tools as JSON-RPC 2.0")
    async def mcp(request: Request) -> dict[str, Any]:
        """tools/list and tools/call; openenv/session/create gives a session_id for params."""
        return refusal(request, await request.body()) or await endpoint(request)
