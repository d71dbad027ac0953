"""/mcp for standard MCP clients, over streamable HTTP: each of them plays in a session of its own.

OpenEnv's own endpoint at the same path takes single JSON-RPC calls and stays as it is: a client of
MCP is told apart by what it accepts.
"""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from fastmcp.exceptions import ToolError
from fastmcp.server.dependencies import get_context
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from orchestrator.errors import EpisodeNotStarted, TooManyCalls, UnknownSession
from server.environment import SREEnvironment
from server.error_response import error_response
from server.mcp import make_tools
from server.openenv_compat import MCP_PATH, SessionCapacityError
from server.rate_limits import Cost, RateLimits
from server.sessions import SessionServer
from sre_autopilot.errors import SREError
from sre_autopilot.models import SREAction, SREObservation

EVENT_STREAM = "text/event-stream"
SESSION_HEADER = "mcp-session-id"


def session_name(mcp_session: str) -> str:
    """The session of the server in which a session of MCP plays."""
    return f"mcp-{mcp_session}"


@contextmanager
def as_tool_error() -> Iterator[None]:
    """Gives errors of ours to the caller as they are: they are no failures of the tool."""
    try:
        yield
    except (SREError, SessionCapacityError) as error:
        raise ToolError(str(error)) from None


class CallersEpisode:
    """The episode of whoever calls a tool."""

    def __init__(self, sessions: SessionServer) -> None:
        self._sessions = sessions

    @property
    def observation(self) -> SREObservation:
        with as_tool_error():
            return self._started().observation

    async def reset_async(self, *, task_tier: str, seed: int | None) -> SREObservation:
        with as_tool_error():
            async with self._sessions.find_or_create(self._name) as environment:
                return await environment.reset_async(task_tier=task_tier, seed=seed)

    async def step_async(self, action: SREAction | dict[str, Any]) -> SREObservation:
        with as_tool_error():
            return await self._started().step_async(action)

    @property
    def _name(self) -> str:
        return session_name(get_context().session_id)

    def _started(self) -> SREEnvironment:
        if self._name not in self._sessions.names:
            raise EpisodeNotStarted
        return self._sessions.find(self._name)


class McpClients:
    """The tools as an ASGI application, and its life."""

    def __init__(self, sessions: SessionServer, limits: RateLimits) -> None:
        self._sessions, self._limits = sessions, limits
        # Hosts are not checked: behind a proxy the server does not know its own name.
        self._app = make_tools(CallersEpisode(sessions)).http_app(
            path=MCP_PATH, host_origin_protection=False
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        # It logs the end of each stream as an error.
        logging.getLogger("mcp.server.streamable_http").setLevel(logging.CRITICAL)
        async with self._app.router.lifespan_context(self._app):
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "POST" and SESSION_HEADER not in Headers(scope=scope):
            try:
                self._limits.admit(Cost.RESETS, scope)
            except TooManyCalls as error:
                await error_response(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)
        if scope["method"] == "DELETE":
            with suppress(UnknownSession):
                await self._sessions.end(session_name(Headers(scope=scope)[SESSION_HEADER]))


class McpClientMiddleware:
    """Gives the calls of MCP clients to `clients`, all others to `app`.

    Also a call without a length, or of more than `max_body_bytes`: `app` refuses it.
    """

    def __init__(self, app: ASGIApp, clients: McpClients, max_body_bytes: int) -> None:
        self._app, self._clients, self._max_body_bytes = app, clients, max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_theirs = scope["type"] == "http" and scope["path"] == MCP_PATH and self._is_theirs(scope)
        await (self._clients if is_theirs else self._app)(scope, receive, send)

    def _is_theirs(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        if scope["method"] == "DELETE":
            return SESSION_HEADER in headers
        length = headers.get("content-length", "0" if scope["method"] == "GET" else "")
        is_small = length.isdecimal() and int(length) <= self._max_body_bytes
        return EVENT_STREAM in headers.get("accept", "") and is_small
