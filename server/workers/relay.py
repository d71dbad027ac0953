"""Passes a request on to another worker over the loopback interface, and its answer back."""

import asyncio
from collections.abc import Awaitable, Iterator

import httpx
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from server.connection_limits import HEAD_TIMEOUT_S, MAX_MESSAGE_BYTES
from server.error_response import problem_response
from server.schemas import Problem
from server.sockets import MAX_REASON_BYTES
from server.workers.place import CLIENT_HEADER, TOKEN_HEADER, Place
from sre_autopilot.world.close_codes import CloseCode

HOP_BY_HOP = frozenset({b"connection", b"keep-alive", b"transfer-encoding"})
ADDED = frozenset({b"date", b"server"})
"""By this worker's own server to every answer."""
SOCKET_HEADERS = b"sec-websocket-"
UPGRADE_HEADERS = frozenset({b"host", b"connection", b"upgrade"})
ABNORMAL = 1006
UNLIMITED = httpx.Timeout(None)
"""A step takes as long as its window, and who asked waits as long as they like."""
"""What a client says of a socket that closed without a code; none may be closed with it."""
UNREACHABLE = Problem(
    error="session_unreachable",
    detail="the process of the server in which this session lives gives no answer; another takes "
    "its place at once: try again",
)


class Relay:
    """To all other workers of the server; connections are kept for a while."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._token = place.memory.token.hex()
        # A connection that the other side is about to close for being idle is never used.
        limits = httpx.Limits(max_connections=None, keepalive_expiry=HEAD_TIMEOUT_S / 2)
        self._http = httpx.AsyncClient(trust_env=False, timeout=UNLIMITED, limits=limits)

    async def __call__(self, home: int, scope: Scope, receive: Receive, send: Send) -> None:
        """A client that leaves ends its request at the home as well."""
        if scope["type"] == "websocket":
            await self._pass_socket(home, scope, receive, send)
            return
        body = await _body(receive)
        answering = asyncio.ensure_future(self._pass_request(home, scope, body, send))
        await _first_of(answering, _gone(receive))

    async def list_sessions(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The sessions of all workers in one list; where one refuses, its refusal."""
        headers = [*_plain(scope), *self._marks(scope)]
        urls = [_url(self._place.url(number), scope) for number in range(len(self._place.ports))]
        try:
            answers = await asyncio.gather(*(self._http.get(u, headers=headers) for u in urls))
        except httpx.TransportError:
            await problem_response(503, UNREACHABLE)(scope, receive, send)
            return
        refused = next((answer for answer in answers if not answer.is_success), None)
        if refused is not None:
            kept = {"www-authenticate": refused.headers.get("www-authenticate", "")}
            await JSONResponse(refused.json(), refused.status_code, kept)(scope, receive, send)
            return
        listed = [session for answer in answers for session in answer.json()["sessions"]]
        listed.sort(key=lambda session: str(session["session_id"]))
        await JSONResponse({"sessions": listed})(scope, receive, send)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _pass_request(self, home: int, scope: Scope, body: bytes, send: Send) -> None:
        request = self._http.build_request(
            scope["method"], _url(self._place.url(home), scope), content=body or None
        )
        length = [(b"content-length", str(len(body)).encode())] if body else []
        request.headers = httpx.Headers([*_plain(scope), *self._marks(scope), *length])
        try:
            answer = await self._http.send(request, stream=True)
        except httpx.TransportError:
            await problem_response(503, UNREACHABLE)(scope, _nothing, send)
            return
        try:
            left_out = HOP_BY_HOP | ADDED
            headers = [(n.lower(), v) for n, v in answer.headers.raw if n.lower() not in left_out]
            status = answer.status_code
            await send({"type": "http.response.start", "status": status, "headers": headers})
            async for part in answer.aiter_raw():
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body"})
        finally:
            await answer.aclose()

    async def _pass_socket(self, home: int, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # that it wants to connect
        url = _url(self._place.url(home).replace("http", "ws", 1), scope)
        headers = [*_plain(scope, socket=True), *self._marks(scope)]
        code, reason = int(CloseCode.SERVER_STOPS), UNREACHABLE.detail
        try:
            async with connect(
                url,
                additional_headers=[(n.decode("latin-1"), v.decode("latin-1")) for n, v in headers],
                subprotocols=scope.get("subprotocols") or None,
                proxy=None,
                compression=None,
                max_size=None,
                ping_interval=None,
            ) as socket:
                await send({"type": "websocket.accept", "subprotocol": socket.subprotocol})
                await _first_of(_upwards(socket, receive), _downwards(socket, send))
            if socket.close_code not in (None, ABNORMAL):
                code, reason = int(socket.close_code), socket.close_reason or ""
        except (OSError, InvalidHandshake):
            pass  # the home is gone: the socket is closed with the code that says so
        await send({"type": "websocket.close", "code": code, "reason": reason[:MAX_REASON_BYTES]})

    def _marks(self, scope: Scope) -> Iterator[tuple[bytes, bytes]]:
        host = (scope.get("client") or ("",))[0]
        yield TOKEN_HEADER.encode(), self._token.encode()
        yield CLIENT_HEADER.encode(), str(host).encode("latin-1", "replace")


def _url(base: str, scope: Scope) -> str:
    path = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    return f"{base}{path}?{query}" if query else f"{base}{path}"


def _plain(scope: Scope, *, socket: bool = False) -> Iterator[tuple[bytes, bytes]]:
    """The client's headers but those of its connection, and but marks that it may have made up."""
    own = {TOKEN_HEADER.encode(), CLIENT_HEADER.encode()}
    for name, value in scope["headers"]:
        is_of_socket = socket and (name in UPGRADE_HEADERS or name.startswith(SOCKET_HEADERS))
        if not (is_of_socket or name in own or name in HOP_BY_HOP or name == b"content-length"):
            yield name, value


async def _body(receive: Receive) -> bytes:
    """Of a request; the home refuses one that is too large, of which the beginning is enough."""
    body, more = b"", True
    while more and len(body) <= MAX_MESSAGE_BYTES:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def _gone(receive: Receive) -> None:
    """Returns when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


async def _upwards(socket: ClientConnection, receive: Receive) -> None:
    while (message := await receive())["type"] == "websocket.receive":
        text = message.get("text")
        await socket.send(message["bytes"] if text is None else text)


async def _downwards(socket: ClientConnection, send: Send) -> None:
    async for data in socket:
        field = "text" if isinstance(data, str) else "bytes"
        await send({"type": "websocket.send", field: data})


async def _first_of(*calls: Awaitable[None]) -> None:
    """Waits for one of the calls, and ends the others. Raises what that one raised."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        if not isinstance(task.exception(), ConnectionClosed | None):
            task.result()
