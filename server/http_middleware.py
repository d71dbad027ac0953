"""What HTTP clients and proxies expect of any server, for all routes at once."""

import asyncio
from http import HTTPStatus
from urllib.parse import urlsplit, urlunsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.error_response import problem_response
from server.openenv_compat import MCP_PATH
from server.schemas import Problem

MOST_QUESTIONS, MOST_WAITING = 4, 256
WAITING = Problem(
    error="too_many_requests_waiting",
    detail=f"{MOST_WAITING} requests wait for an answer already; try again later",
)


class HeadMiddleware:
    """Answers HEAD as GET, without the body: monitors ask so whether a page is there."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET"}, receive, send_head)


class RelativeRedirectMiddleware:
    """Makes redirects to this server relative: behind TLS, only the proxy knows its own scheme."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_relative(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                target = urlsplit(headers.get("location", ""))
                if target.netloc and target.netloc == Headers(scope=scope).get("host"):
                    headers["location"] = urlunsplit(("", "", *target[2:]))
            await send(message)

        await self._app(scope, receive, send_relative if scope["type"] == "http" else send)


class QuestionQueueMiddleware:
    """Answers few questions (GET) at once, so that a flood of them holds up no step: a turn of the
    event loop costs at most so many.

    Streams of MCP are no questions: they stay open.
    """

    def __init__(
        self, app: ASGIApp, most: int = MOST_QUESTIONS, most_waiting: int = MOST_WAITING
    ) -> None:
        self._app = app
        self._room = asyncio.Semaphore(most)
        self._waiting, self._most_waiting = 0, most_waiting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] == MCP_PATH:
            await self._app(scope, receive, send)
            return
        if self._waiting >= self._most_waiting:
            response = problem_response(HTTPStatus.SERVICE_UNAVAILABLE, WAITING)
            await response(scope, receive, send)
            return
        self._waiting += 1
        try:
            await self._room.acquire()
        finally:
            self._waiting -= 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._room.release()
