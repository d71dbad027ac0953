"""What a relay changes in a request, and how it waits: without any server."""

import asyncio
from typing import Any, cast

import pytest
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK
from websockets.frames import Close

from server.connection_limits import MAX_MESSAGE_BYTES
from server.workers import relay
from server.workers.place import CLIENT_HEADER, TOKEN_HEADER

pytestmark = pytest.mark.anyio
BASE = "http://127.0.0.1:9001"


def scope_of(path="/step", query=b"", headers=(), **more):
    return {"path": path, "query_string": query, "headers": list(headers), **more}


@pytest.mark.parametrize(
    ("scope", "url"),
    [
        (scope_of(), "/step"),
        (scope_of(query=b"a=b%20c"), "/step?a=b%20c"),
        (scope_of("/sessions/a b", raw_path=b"/sessions/a%20b"), "/sessions/a%20b"),
        (scope_of("/watch/a", b"x=1&y=", raw_path=b"/watch/a"), "/watch/a?x=1&y="),
    ],
)
def test_addresses_pass_as_they_were_sent(scope, url):
    assert relay._url(BASE, scope) == BASE + url


KEPT = [(b"host", b"server"), (b"authorization", b"Bearer t"), (b"accept", b"*/*")]


@pytest.mark.parametrize("name", [b"connection", b"keep-alive", b"transfer-encoding"])
def test_headers_of_a_connection_stay_with_it(name):
    scope = scope_of(headers=[*KEPT, (name, b"x"), (b"content-length", b"7")])
    assert list(relay._plain(scope)) == KEPT


def test_marks_that_a_client_made_up_are_dropped():
    marks = [(TOKEN_HEADER.encode(), b"0"), (CLIENT_HEADER.encode(), b"10.0.0.1")]
    assert list(relay._plain(scope_of(headers=[*marks, *KEPT]))) == KEPT


def test_a_socket_is_opened_anew_with_the_client_s_own_headers():
    upgrade = [(b"upgrade", b"websocket"), (b"sec-websocket-key", b"k")]
    offered = [(b"sec-websocket-protocol", b"first"), (b"sec-websocket-version", b"13")]
    scope = scope_of(headers=[*KEPT, *upgrade, *offered])
    assert list(relay._plain(scope, socket=True)) == KEPT[1:]
    assert upgrade[0] in list(relay._plain(scope))


def receiving(*messages):
    waiting = iter(messages)

    async def receive():
        return next(waiting)

    return receive


def part(body, more):
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_body_is_put_together_from_its_parts():
    receive = receiving(part(b"one ", True), part(b"", True), part(b"two", False))
    assert await relay._body(receive) == b"one two"


async def test_a_client_that_leaves_while_it_sends_ends_the_body():
    receive = receiving(part(b"one", True), {"type": "http.disconnect"})
    assert await relay._body(receive) == b"one"


async def test_a_body_that_is_too_large_is_not_read_to_its_end():
    half = b"x" * (MAX_MESSAGE_BYTES // 2 + 1)
    receive = receiving(part(half, True), part(half, True), part(b"never read", True))
    assert await relay._body(receive) == 2 * half


async def test_a_client_is_gone_when_its_connection_says_so():
    await relay._gone(receiving(part(b"", False), {"type": "http.disconnect"}))


class Calls:
    def __init__(self):
        self.ended: list[str] = []

    async def waits(self):
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.append("waits")

    async def returns(self):
        self.ended.append("returns")

    async def raises(self, error):
        raise error


async def test_the_first_call_that_ends_ends_the_others():
    calls = Calls()
    await relay._first_of(calls.waits(), calls.returns(), calls.waits())
    assert calls.ended == ["returns", "waits", "waits"]


async def test_an_error_of_the_first_call_is_raised_and_a_closed_socket_is_none():
    calls = Calls()
    with pytest.raises(ValueError, match="bad"):
        await relay._first_of(calls.waits(), calls.raises(ValueError("bad")))
    close = Close(4321, "as was asked")
    for closed in (ConnectionClosedOK(close, None), ConnectionClosedError(None, close)):
        await relay._first_of(calls.waits(), calls.raises(closed))
    assert calls.ended == ["waits"] * 3


async def test_a_caller_that_is_cancelled_ends_all_calls():
    calls = Calls()
    task = asyncio.create_task(relay._first_of(calls.waits(), calls.waits()))
    for _ in range(3):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert calls.ended == ["waits", "waits"]


class Socket:
    """A socket to the home: what is sent to it, and what it sends."""

    def __init__(self, *answers):
        self.sent, self._answers = [], answers

    async def send(self, data):
        self.sent.append(data)

    async def __aiter__(self):
        for answer in self._answers:
            yield answer


async def test_messages_of_a_client_pass_until_it_disconnects():
    text = {"type": "websocket.receive", "text": "a", "bytes": None}
    data = {"type": "websocket.receive", "bytes": b"b"}
    socket = Socket()
    await relay._upwards(
        cast("Any", socket), receiving(text, data, {"type": "websocket.disconnect"})
    )
    assert socket.sent == ["a", b"b"]


async def test_messages_of_the_home_keep_their_kind():
    sent = []

    async def send(message):
        sent.append(message)

    await relay._downwards(cast("Any", Socket("a", b"b")), send)
    assert [message.get("text", message.get("bytes")) for message in sent] == ["a", b"b"]
    assert [sorted(message) for message in sent] == [["text", "type"], ["bytes", "type"]]
