"""Open WebSockets: which session each belongs to, and with which code it is closed.

An open socket counts as a call: its session is not ended by its lease. Where a session ends all the
same, because somebody deletes it, its socket is closed with a code that says so.
"""

from collections.abc import Callable
from contextvars import ContextVar
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sre_autopilot.world.close_codes import CloseCode

MAX_REASON_BYTES = 123
"""Of a close frame (RFC 6455, 5.5)."""


class Socket:
    """One WebSocket on the server's side; `send` is its ASGI channel."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._is_open = True
        self._code: CloseCode | None = None
        self._reason = ""

    def close_with(self, code: CloseCode, reason: str) -> None:
        """When the socket is closed next, this is its code."""
        self._code = code
        self._reason = reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore")

    async def close(self) -> None:
        """Closes it now, whatever its endpoint waits for."""
        await self.send({"type": "websocket.close"})

    async def send(self, message: Message) -> None:
        """Sends while it is open; later messages have nowhere to go."""
        if not self._is_open:
            return
        if message["type"] == "websocket.close":
            self._is_open = False
            if self._code is not None:
                message = {**message, "code": int(self._code), "reason": self._reason}
        await self._send(message)


CURRENT: ContextVar[Socket | None] = ContextVar("socket", default=None)
"""The socket in whose endpoint this code runs."""


class SocketMiddleware:
    """Makes a `Socket` of every WebSocket, and gives it up when its endpoint returns.

    attach: called with a socket and the session that its URL asks for, None where it asks for none.
    detach: called at its end.
    """

    def __init__(
        self,
        app: ASGIApp,
        attach: Callable[[Socket, str | None], None],
        detach: Callable[[Socket], None],
    ) -> None:
        self._app, self._attach, self._detach = app, attach, detach

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        socket = Socket(send)
        query = parse_qs(scope["query_string"].decode("latin-1"))
        self._attach(socket, query.get("session_id", [None])[0])
        token = CURRENT.set(socket)
        try:
            await self._app(scope, receive, socket.send)
        finally:
            CURRENT.reset(token)
            self._detach(socket)
