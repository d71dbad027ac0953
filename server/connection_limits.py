"""What one connection may ask of the server before a request of it is complete.

uvicorn's HTTP protocol reads heads of any length for as long as a client likes: a header line
without an end costs seconds (each piece is added to a copy of all before it), and a request that
never ends keeps its connection. `LimitedHttpProtocol` is uvicorn's with bounds on both. All that
depends on the inside of uvicorn is in this file.
"""

import asyncio
import resource
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from server.refusal import Refusal

MAX_MESSAGE_BYTES = 64 * 1024
"""Of a body over HTTP, and of a message over WebSocket."""
MAX_HEAD_BYTES = 16 * 1024
"""Of a request line with its headers."""
HEAD_TIMEOUT_S = 5.0
"""From the first moment of a connection, or the first byte of a later request, to the end of its
headers."""
BODY_TIMEOUT_S = 10.0
"""From there to the end of the body."""
MAX_FILES = 16 * 1024
"""The server asks for so many open files, where it may have them."""
RESERVED_FILES = 256
"""For all but connections: meshes, records, libraries."""
GRACE_S = 0.5
"""A connection that has waited for less is not closed to make room: its request may have arrived
already, and is read in the next turn of the event loop."""
BACKLOG = 4096
"""Connections that the kernel keeps until the server takes them."""


HEAD_TOO_LONG = Refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "request_header_fields_too_large",
    f"request line and headers together may have {MAX_HEAD_BYTES} bytes",
)
TOO_SLOW = Refusal(
    HTTPStatus.REQUEST_TIMEOUT,
    "request_timeout",
    f"headers must be complete after {HEAD_TIMEOUT_S:g} s, a body {BODY_TIMEOUT_S:g} s later",
)
MALFORMED = Refusal(HTTPStatus.BAD_REQUEST, "malformed_request", "this is no HTTP/1.1 request")
BUSY = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "too_many_connections",
    "as many connections are open as the server may have; close some, or try again later",
)


def raise_open_files() -> None:
    """Lets this process open MAX_FILES files, or as many as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


@dataclass
class Connections:
    """How many connections a server may have, and those without a complete request, the one that
    waits longest first.

    most: of all kinds; requests on others are answered 503.
    most_waiting: beyond, the one that waits longest is closed. An honest client sends its headers
        at once and waits for milliseconds.
    """

    most: int
    most_waiting: int
    _since: dict["LimitedHttpProtocol", float] = field(default_factory=dict)

    @classmethod
    def of_files(cls, files: int) -> "Connections":
        """For a process that may open so many files."""
        most = max(files - RESERVED_FILES, RESERVED_FILES)
        return cls(most, most // 2)

    def wait(self, connection: "LimitedHttpProtocol", now: float) -> None:
        """Closes the one that has waited longest where there are too many."""
        self._since.pop(connection, None)
        self._since[connection] = now
        if len(self._since) > self.most_waiting:
            oldest, since = next(iter(self._since.items()))
            if now - since >= GRACE_S:
                del self._since[oldest]
                oldest.transport.abort()

    def proceed(self, connection: "LimitedHttpProtocol") -> None:
        """Its request is complete, or it is closed."""
        self._since.pop(connection, None)


class LimitedHttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol with the bounds of this module; WebSockets leave it at their upgrade."""

    STATE: ClassVar[str] = "limited_connections"
    """Key in uvicorn's state of the application, which all connections of a server share."""

    _heads = 0
    _head_bytes = 0
    _in_head = True
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if self.STATE not in self.app_state:
            files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
            self.app_state[self.STATE] = Connections.of_files(files)
        self._all: Connections = self.app_state[self.STATE]
        super().connection_made(transport)
        if len(self.connections) > self._all.most + RESERVED_FILES // 2:
            transport.abort()  # no file is left to read its request from and to refuse it well
        else:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feeds the parser no more of a head than one may have."""
        while data and self._is_open:
            head, was_in_head = self._heads, self._in_head
            size = MAX_HEAD_BYTES - self._head_bytes
            part, data = data[:size], data[size:]
            super().data_received(part)
            if was_in_head and self._in_head and head == self._heads:
                self._head_bytes += len(part)
                if self._head_bytes >= MAX_HEAD_BYTES and self._is_open:
                    self._refuse(HEAD_TOO_LONG)

    def send_400_response(self, msg: str) -> None:
        self._refuse(MALFORMED)

    def handle_websocket_upgrade(self) -> None:
        self._expect_nothing()
        if self._is_full:
            self._refuse(BUSY)
        else:
            super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        self._in_head = True
        if not self._is_answering:  # else its time begins after the answer
            self._expect_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head, self._head_bytes = False, 0
        self._heads += 1
        self._all.proceed(self)
        self._expect_within(BODY_TIMEOUT_S)
        if self._is_full:
            self.app = BUSY.app
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._expect_nothing()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing() or self._is_answering:
            return
        if self._in_head:
            self._expect_head()
        else:
            self._all.wait(
                self, self.loop.time()
            )  # an idle connection costs what one without a request does

    @property
    def _is_open(self) -> bool:
        return not self.transport.is_closing() and self.transport.get_protocol() is self

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def _is_full(self) -> bool:
        return len(self.connections) > self._all.most

    def _expect_head(self) -> None:
        self._all.wait(self, self.loop.time())
        self._expect_within(HEAD_TIMEOUT_S)

    def _expect_within(self, timeout_s: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(timeout_s, self._refuse, TOO_SLOW)

    def _expect_nothing(self) -> None:
        self._all.proceed(self)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, refusal: Refusal) -> None:
        """Ends the connection; with an answer where none is under way."""
        self._expect_nothing()
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self.transport.write(refusal.response())
        self.transport.close()


LIMITED_HTTP = f"{LimitedHttpProtocol.__module__}:{LimitedHttpProtocol.__name__}"
"""For uvicorn's option `--http`."""


def uvicorn_limits(ping_timeout_s: float) -> Mapping[str, Any]:
    """Arguments of uvicorn's `Config` with all bounds on connections.

    ping_timeout_s: how long a WebSocket's client may leave a ping without an answer.
    """
    return {
        "http": LimitedHttpProtocol,
        "ws_max_size": MAX_MESSAGE_BYTES,
        "ws_ping_timeout": ping_timeout_s,
        "timeout_keep_alive": int(HEAD_TIMEOUT_S),
        "backlog": BACKLOG,
    }
