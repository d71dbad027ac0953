"""Calls over kept connections: answers, ends in the middle, and what is sent a second time."""

import asyncio

import httpx
import pytest

from services.runtime import wire as wire_module
from services.runtime.wire import TARGET, CutShort, Wire, serialized
from tests.services.neighbours import Callee, eventually

pytestmark = pytest.mark.anyio

ANSWER = b"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: 4\r\n\r\ntrue"


def request(method: str = "GET", path: str = "/things?a=1") -> httpx.Request:
    return httpx.Request(method, f"http://callee{path}")


def test_request_is_sent_with_its_target_headers_and_content() -> None:
    sent = httpx.Request("POST", "http://callee/", json=1, extensions={TARGET: b"/charges?a=1"})
    head, _, body = serialized(sent).partition(b"\r\n\r\n")
    assert head.startswith(b"POST /charges?a=1 HTTP/1.1\r\n")
    assert b"\r\nHost: callee" in head and b"\r\nContent-Length: 1" in head
    assert body == b"1"
    assert serialized(request()).startswith(b"GET /things?a=1 HTTP/1.1\r\n")


async def test_answer_has_status_headers_and_content() -> None:
    async with Callee(ANSWER).listening() as callee:
        wire = Wire(callee.address)
        answer = await wire.handle_async_request(request())
        await wire.aclose()
    assert (answer.status_code, answer.json(), await answer.aread()) == (201, True, b"true")
    assert answer.headers["content-type"] == "application/json"


async def test_chunks_become_one_answer() -> None:
    chunks = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    async with Callee(chunks).listening() as callee:
        wire = Wire(callee.address)
        assert (await wire.handle_async_request(request())).content == b"abc"
        await wire.aclose()


async def test_connection_is_kept_and_calls_at_once_get_their_own() -> None:
    async with Callee(ANSWER).listening() as callee:
        wire = Wire(callee.address)
        for _ in range(3):
            await wire.handle_async_request(request())
        assert len(callee._writers) == 1
        await asyncio.gather(*(wire.handle_async_request(request()) for _ in range(2)))
        assert len(callee._writers) == 2
        await wire.aclose()


async def test_connection_that_its_server_ends_is_not_used_again() -> None:
    closing = ANSWER.replace(b"content-type", b"connection: close\r\ncontent-type")
    async with Callee(closing).listening() as callee:
        wire = Wire(callee.address)
        for _ in range(2):
            await wire.handle_async_request(request("POST"))
        assert len(callee._writers) == 2


async def test_connection_that_was_idle_for_long_is_not_used_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wire_module, "IDLE_LIMIT_S", -1.0)
    async with Callee(ANSWER).listening() as callee:
        wire = Wire(callee.address)
        for _ in range(2):
            await wire.handle_async_request(request())
        assert len(callee._writers) == 2
        await wire.aclose()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", httpx.ReadError),
        (b"HTTP/1.1 200 OK\r\ncontent-le", httpx.ReadError),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", CutShort),
        (b"nonsense\r\n\r\n", httpx.RemoteProtocolError),
    ],
)
async def test_answer_that_does_not_end_is_an_error(
    answer: bytes, error: type[httpx.TransportError]
) -> None:
    async with Callee(answer, hangs_up=True).listening() as callee:
        with pytest.raises(error) as raised:
            await Wire(callee.address).handle_async_request(request("POST"))
    assert type(raised.value) is error
    assert len(callee.requests) == 1


@pytest.mark.parametrize(("method", "sent"), [("GET", 2), ("PUT", 2), ("POST", 1)])
async def test_call_that_changes_nothing_twice_is_sent_a_second_time(
    method: str, sent: int
) -> None:
    async with Callee(b"", hangs_up=True).listening() as callee:
        with pytest.raises(httpx.ReadError):
            await Wire(callee.address).handle_async_request(request(method))
    assert len(callee.requests) == sent


async def test_closed_port_is_a_connect_error() -> None:
    async with Callee().listening() as callee:
        address = callee.address
    with pytest.raises(httpx.ConnectError):
        await Wire(address).handle_async_request(request())


async def test_cancelled_call_closes_its_connection() -> None:
    async with Callee(None).listening() as callee:
        wire = Wire(callee.address)
        call = asyncio.create_task(wire.handle_async_request(request()))
        await eventually(lambda: len(callee.requests) == 1)
        call.cancel()
        await asyncio.wait({call})
        await eventually(callee._writers[0].transport.is_closing)
        assert wire._idle == []
