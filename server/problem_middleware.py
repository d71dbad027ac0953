"""The last word on every answer over HTTP: an error is a `Problem`, whatever made it."""

import asyncio
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.error_response import DETAILS, kind_of, problem_response
from server.schemas import Problem

JSON = "application/json"
STOPPING = Problem(
    error="server_stopping", detail="the server is stopping; try again when it is back"
)
SHUTDOWN = "graceful shutdown"
"""In uvicorn's message to what it cancels."""
FAILED = Problem(error="internal_error", detail="the server failed; its log says how")


class ProblemMiddleware:
    """Answers a call that was cut short or failed, and gives errors in plain text a body.

    A call is cut short where the server stops in the middle of it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            try:
                await self._app(scope, receive, send)
            except asyncio.CancelledError as error:
                _raise_unless_stopping(error)  # uvicorn has closed the socket
            return
        answer = _Answer(send)
        try:
            await self._app(scope, receive, answer.send)
        except asyncio.CancelledError as error:
            if not answer.started:
                response = problem_response(HTTPStatus.SERVICE_UNAVAILABLE, STOPPING)
                await response(scope, receive, send)
            _raise_unless_stopping(error)
        except Exception:  # a border: the caller gets an answer, and the log the error
            if not answer.started:
                response = problem_response(HTTPStatus.INTERNAL_SERVER_ERROR, FAILED)
                await response(scope, receive, send)
            raise
        if answer.replaced is not None:
            await problem_response(*answer.replaced)(scope, receive, send)


def _raise_unless_stopping(error: asyncio.CancelledError) -> None:
    """The task of a call that is still open at the end of a stop is ended here: uvicorn, which
    cancelled it, would log a traceback of each.
    """
    if SHUTDOWN not in str(error):
        raise error


class _Answer:
    """The messages of one answer, held back where it is an error that is no JSON."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._status = 0
        self._text = b""
        self.started = False
        """Whether the caller has got the beginning of an answer."""

    @property
    def replaced(self) -> tuple[int, Problem] | None:
        """Status and Problem to answer in place of what was held back."""
        if not self._status:
            return None
        kind = kind_of(self._status)
        text = DETAILS.get(self._status, self._text.decode(errors="replace"))
        return self._status, Problem(error=kind, detail=text or kind)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            kind = Headers(raw=message["headers"]).get("content-type", "")
            if message["status"] >= HTTPStatus.BAD_REQUEST and not kind.startswith(JSON):
                self._status = message["status"]
                return
        if self._status:
            self._text += message.get("body", b"")
            return
        self.started = True
        await self._send(message)
