"""Brings each request to the worker in which its session lives.

A worker serves what is its own and whatever has no session; the rest it passes to the home of the
session and the answer back. A request that a worker has passed on carries the server's token, which
no client can know, and is never passed on again.
"""

import json
import os
import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.connection_limits import MAX_MESSAGE_BYTES
from server.mcp_http import SESSION_HEADER
from server.openenv_compat import MCP_PATH
from server.schemas import DEFAULT_SESSION
from server.workers.place import CLIENT_HEADER, METRICS_PATH, PID_HEADER, TOKEN_HEADER, Place
from server.workers.relay import Relay

IN_BODY = frozenset({"/reset", "/step", MCP_PATH})
IN_QUERY = frozenset({"/state", "/grader", "/pager", "/debrief", "/advice"})
ALL_SESSIONS = "/sessions"
IN_PATH = ("/sessions/", "/watch/")
"""Paths that go on with the name of a session."""
SEPARATOR = "."
"""Between the name of an MCP session and the number of the worker that began it."""
WORKER_DIGITS = 4
"""Of the largest number of a worker."""


class ForwardingMiddleware:
    """ASGI middleware, the outermost of a worker.

    metrics: this worker's, as Prometheus reads them.
    """

    def __init__(self, app: ASGIApp, place: Place, metrics: Callable[[], bytes]) -> None:
        self._app, self._place, self._metrics = app, place, metrics
        self._relay = Relay(place)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            try:
                await self._app(scope, receive, send)
            finally:
                await self._relay.aclose()
        elif self._is_passed_on(scope):
            if scope["path"] == METRICS_PATH:
                headers = {PID_HEADER: str(os.getpid())}
                page = Response(self._metrics(), headers=headers, media_type="text/plain")
                await page(scope, receive, send)
                return
            await self._serve(_of_client(scope), receive, send)
        elif scope["type"] == "http" and scope["path"] == ALL_SESSIONS and scope["method"] == "GET":
            await self._relay.list_sessions(scope, receive, send)
        else:
            receive, home = await self._home(scope, receive)
            if home == self._place.number:
                await self._serve(scope, receive, send)
            else:
                await self._relay(home, scope, receive, send)

    def _is_passed_on(self, scope: Scope) -> bool:
        sent = _header(scope, TOKEN_HEADER)
        expected = self._place.memory.token.hex()
        return sent is not None and secrets.compare_digest(sent.encode(), expected.encode())

    async def _home(self, scope: Scope, receive: Receive) -> tuple[Receive, int]:
        """The worker that is to answer; and `receive` as if nothing had been read from it."""
        here = self._place.number
        mcp_worker = _worker_of_mcp_session(_header(scope, SESSION_HEADER))
        if scope["path"] == MCP_PATH and mcp_worker is not None:
            return receive, mcp_worker if mcp_worker < len(self._place.ports) else here
        name: str | None = None
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in IN_BODY:
            receive, body = await _read_ahead(receive)
            name = _name_in_body(scope["path"], body)
        elif scope["path"].startswith(IN_PATH):
            name = scope["path"].split("/", 2)[2]
        elif scope["type"] == "websocket":
            name = _name_in_query(scope, None)
        elif scope["path"] in IN_QUERY:
            name = _name_in_query(scope, DEFAULT_SESSION)
        return receive, here if name is None else self._place.home(name)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves a request here; the names of MCP sessions say to clients where they live."""
        name = _header(scope, SESSION_HEADER)
        if _worker_of_mcp_session(name) is not None:
            scope = {**scope, "headers": list(scope["headers"])}
            headers = MutableHeaders(scope=scope)
            headers[SESSION_HEADER] = str(name).rpartition(SEPARATOR)[0]

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if SESSION_HEADER in headers:
                    headers[SESSION_HEADER] += f"{SEPARATOR}{self._place.number}"
            await send(message)

        await self._app(scope, receive, send_named)


def _of_client(scope: Scope) -> Scope:
    """A request as its client sent it to another worker."""
    host = _header(scope, CLIENT_HEADER) or ""
    ours = {TOKEN_HEADER.encode(), CLIENT_HEADER.encode()}
    headers = [(name, value) for name, value in scope["headers"] if name not in ours]
    return {**scope, "client": (host, 0), "headers": headers}


def _header(scope: Scope, name: str) -> str | None:
    key = name.encode()
    return next((value.decode("latin-1") for n, value in scope["headers"] if n == key), None)


def _worker_of_mcp_session(name: str | None) -> int | None:
    _, separator, number = (name or "").rpartition(SEPARATOR)
    # Whatever a client sends: Python refuses to read thousands of digits.
    is_number = number.isdecimal() and len(number) <= WORKER_DIGITS
    return int(number) if separator and is_number else None


def _name_in_query(scope: Scope, default: str | None) -> str | None:
    query = parse_qs(scope["query_string"].decode("latin-1"))
    return query.get("session_id", [default])[0] if "tier" not in query else None


def _name_in_body(path: str, body: bytes) -> str | None:
    """None where the body names no session, or cannot be read: it is refused wherever it is."""
    try:
        message: Any = json.loads(body) if body else {}
    except (ValueError, RecursionError):
        return None
    default: str | None = DEFAULT_SESSION
    if path == MCP_PATH and isinstance(message, dict):
        message, default = message.get("params"), None
    name = message.get("session_id", default) if isinstance(message, dict) else None
    return name if isinstance(name, str) else None


async def _read_ahead(receive: Receive) -> tuple[Receive, bytes]:
    """The body, as much of it as a body may have; and a `receive` that gives it once more."""
    messages: list[Message] = []
    body = b""
    while len(body) <= MAX_MESSAGE_BYTES:
        message = await receive()
        messages.append(message)
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    waiting = iter(messages)

    async def receive_again() -> Message:
        message = next(waiting, None)
        return await receive() if message is None else message

    return receive_again, body
