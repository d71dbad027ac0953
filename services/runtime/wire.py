"""HTTP/1.1 to one neighbour over kept connections, as a transport of httpx.

Neighbours speak plain HTTP and send whole answers, so there are no redirects, cookies, proxies,
authentication or streams to resolve: a call costs a fraction of one over a general client.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import cast
from urllib.parse import urlsplit

import httptools
import httpx

IDLE_LIMIT_S = 5.0
"""A connection that was idle for longer is not used again: its server may be closing it."""
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
HTTP_PORT = 80
TARGET = "target"
"""httpx's extension of a request: path and query as sent, instead of its URL's."""


class CutShort(httpx.RemoteProtocolError):
    """The answer began and did not end."""


class WholeAnswer(httpx.Response):
    """An answer whose body has come: `httpx.Response(content=...)` would pass it through decoders
    and chunkers, which costs as much as the rest of a call.
    """

    def __init__(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
        super().__init__(status, headers=headers, stream=httpx.ByteStream(body))
        self._content = body  # what `read` of the base class sets


class Connection(asyncio.Protocol):
    """One connection and, while a call is under way, its answer. One call at a time."""

    def __init__(self) -> None:
        self.idle_since = 0.0
        self.is_open = False
        self._answer: asyncio.Future[httpx.Response] | None = None

    async def exchange(self, message: bytes) -> httpx.Response:
        """Sends a request, returns its answer. Raises httpx.TransportError."""
        if not self.is_open:
            raise httpx.ReadError("the connection was closed")
        self._answer = asyncio.get_running_loop().create_future()
        self._began = False
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._parser = httptools.HttpResponseParser(self)
        self._transport.write(message)
        return await self._answer

    def close(self) -> None:
        self.is_open = False
        self._transport.abort()

    # Called by the event loop:

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not derive from it
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():
            self.close()  # nothing was asked
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.close()
            self._fail(httpx.RemoteProtocolError(str(error)))

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        if self._answer is not None:
            reason = str(error or "the connection was closed")
            self._fail((CutShort if self._began else httpx.ReadError)(reason))

    # Called by the parser:

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._began = True

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        assert self._answer is not None
        self.is_open = self.is_open and self._parser.should_keep_alive()
        self.idle_since = time.monotonic()
        if not self._answer.done():
            status, body = self._parser.get_status_code(), b"".join(self._body)
            self._answer.set_result(WholeAnswer(status, self._headers, body))

    def _fail(self, error: httpx.TransportError) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


class Wire(httpx.AsyncBaseTransport):
    """All connections to one address, "http://HOST:PORT". Has no time-out of its own.

    headers: sent with every request, besides its own.
    """

    def __init__(self, address: str, headers: Mapping[str, str] | None = None) -> None:
        self._headers = httpx.Headers(headers).raw
        parts = urlsplit(address)
        self._host, self._port = parts.hostname or "", parts.port or HTTP_PORT
        self._idle: list[Connection] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The whole answer.

        A call whose connection broke before its answer began is sent a second time where that
        changes nothing (RFC 9110, 9.2.2): a server may close a connection while it is taken up.
        """
        message = serialized(request, self._headers)
        try:
            return await self._exchange(message)
        except httpx.ReadError:
            if request.method not in IDEMPOTENT:
                raise
        return await self._exchange(message)

    async def _exchange(self, message: bytes) -> httpx.Response:
        connection = self._idle_connection() or await self._connect()
        reusable = False
        try:
            response = await connection.exchange(message)
            reusable = connection.is_open
            return response
        finally:
            if reusable:
                self._idle.append(connection)
            else:
                connection.close()

    def _idle_connection(self) -> Connection | None:
        """The one used last: it is the least likely to be closed."""
        usable_since = time.monotonic() - IDLE_LIMIT_S
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and connection.idle_since >= usable_since:
                return connection
            connection.close()
        return None

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(Connection, self._host, self._port)
        except OSError as error:
            raise httpx.ConnectError(str(error)) from None
        return connection

    async def aclose(self) -> None:
        """Closes idle connections; one in use is closed by its own call."""
        while self._idle:
            self._idle.pop().close()


def serialized(request: httpx.Request, headers: Sequence[tuple[bytes, bytes]] = ()) -> bytes:
    """A request as it is sent, with `headers` behind its own."""
    target = request.extensions.get(TARGET) or request.url.raw_path
    lines = [b"%b %b HTTP/1.1" % (request.method.encode(), target)]
    lines += [b"%b: %b" % header for header in (*request.headers.raw, *headers)]
    return b"\r\n".join((*lines, b"", request.read()))
