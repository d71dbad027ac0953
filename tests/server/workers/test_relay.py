"""A relay between two workers, of which the other one is a small server of the test's."""

import asyncio
import os
import socket

import httpx
import pytest
from fastapi import FastAPI, Request, WebSocket
from starlette.responses import Response, StreamingResponse
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from server.workers.place import CLIENT_HEADER, TOKEN_HEADER, Place
from server.workers.relay import Relay
from server.workers.shared_memory import SharedMemory
from tests.server.doors import CALL_TIMEOUT_S, on_a_port, until

GONE: list[str] = []
"""Streams of the home whose clients have left."""


def home_app():
    app = FastAPI()

    @app.post("/echo")
    async def echo(request: Request):
        headers = {"x-sent": request.headers.get("x-sent", ""), "set-cookie": "a=1"}
        marks = f"{request.headers[CLIENT_HEADER]} {len(request.headers[TOKEN_HEADER])} "
        body = marks.encode() + await request.body() + request.url.query.encode()
        return Response(body, 418, headers)

    @app.get("/stream")
    async def stream():
        async def parts():
            try:
                yield b"first"
                await asyncio.Event().wait()
            finally:
                GONE.append("stream")

        return StreamingResponse(parts())

    @app.websocket("/upper")
    async def upper(client: WebSocket):
        await client.accept("second" if "second" in client.scope["subprotocols"] else None)
        while (text := await client.receive_text()) != "end":
            await client.send_text(text.upper())
        await client.close(4321, "as was asked")

    return app


def relaying_app(place):
    """Passes everything on to worker 1."""
    relay = Relay(place)

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            while (message := await receive())["type"] != "lifespan.shutdown":
                await send({"type": f"{message['type']}.complete"})
            await relay.aclose()
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await relay(1, scope, receive, send)

    return app


@pytest.fixture(scope="module")
def url():
    memory = SharedMemory.create(1)
    listener = socket.create_server(("127.0.0.1", 0))
    place = Place(0, (1, listener.getsockname()[1]), memory)
    with on_a_port(home_app(), listener), on_a_port(relaying_app(place)) as url:
        yield url
    os.close(memory.fd)


@pytest.fixture(scope="module")
def url_of_nobody():
    """Of a relay whose other worker is gone."""
    memory = SharedMemory.create(1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with on_a_port(relaying_app(Place(0, (1, port), memory))) as url:
        yield url
    os.close(memory.fd)


@pytest.mark.parametrize("content", [b"", b"text", b"x" * 50_000])
def test_requests_and_answers_pass_whole(url, content):
    marks = {TOKEN_HEADER: "made up", CLIENT_HEADER: "10.9.9.9"}
    answer = httpx.post(f"{url}/echo?a=b%20c", content=content, headers={"x-sent": "1", **marks})
    assert answer.status_code == 418
    assert answer.content == b"127.0.0.1 64 " + content + b"a=b%20c"
    assert answer.headers["x-sent"] == "1" and answer.headers["set-cookie"] == "a=1"
    assert len(answer.headers.get_list("date")) == 1


def test_a_body_in_chunks_passes_whole(url):
    def parts():
        yield b"one "
        yield b"two "

    answer = httpx.post(f"{url}/echo", content=parts())
    assert answer.content == b"127.0.0.1 64 one two "


def test_a_client_that_leaves_a_stream_ends_it_at_the_home(url):
    GONE.clear()
    with httpx.stream("GET", f"{url}/stream", timeout=CALL_TIMEOUT_S) as answer:
        parts = answer.iter_raw()  # collected as garbage, it would close the answer
        assert next(parts) == b"first"
        assert GONE == []
    until(lambda: GONE == ["stream"])


def test_a_socket_passes_texts_its_subprotocol_and_its_end(url):
    address = f"{url}/upper".replace("http", "ws", 1)
    with connect(
        address, proxy=None, subprotocols=[Subprotocol("first"), Subprotocol("second")]
    ) as client:
        assert client.subprotocol == "second"
        for text in ("a", "b" * 10_000):
            client.send(text)
            assert client.recv(CALL_TIMEOUT_S) == text.upper()
        client.send("end")
        with pytest.raises(ConnectionClosed):
            client.recv(CALL_TIMEOUT_S)
        assert (client.close_code, client.close_reason) == (4321, "as was asked")


def test_a_home_that_is_gone_is_an_answer_and_no_failure(url_of_nobody):
    answer = httpx.post(f"{url_of_nobody}/echo", timeout=CALL_TIMEOUT_S)
    assert answer.status_code == 503 and answer.json()["error"] == "session_unreachable"
    assert int(answer.headers["retry-after"]) > 0


def test_a_socket_to_a_home_that_is_gone_is_refused(url_of_nobody):
    address = f"{url_of_nobody}/upper".replace("http", "ws", 1)
    with pytest.raises(InvalidStatus, match="403"), connect(address, proxy=None):
        pass
