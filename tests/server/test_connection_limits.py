"""Requests without an end, heads without an end, messages without an end: each has its bound."""

import json
import select
import socket
import time
from contextlib import ExitStack, closing
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from server import connection_limits
from server.connection_limits import (
    MAX_FILES,
    MAX_HEAD_BYTES,
    MAX_MESSAGE_BYTES,
    Connections,
    raise_open_files,
)
from tests.server.doors import WAIT, until

HEAD = b"GET /health HTTP/1.1\r\nHost: server\r\n"
TIMEOUT_S = 10.0
SHORT_S = 0.3


@pytest.fixture
def dial(url):
    """Opens plain connections to the server."""
    address = urlsplit(url)
    with ExitStack() as stack:

        def connection():
            made = socket.create_connection((address.hostname, address.port), TIMEOUT_S)
            return stack.enter_context(closing(made))

        yield connection


def answer_of(connection):
    """Status and Problem of the one answer of a connection that the server closes."""
    received = b""
    try:
        while data := connection.recv(65536):
            received += data
    except ConnectionResetError:  # the server closed it with bytes of ours unread
        pass
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def is_closed(connection):
    """Whether the server has closed the connection."""
    connection.setblocking(False)
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def close_code(error):
    """The code with which the server closed a socket."""
    return error.rcvd and error.rcvd.code


@pytest.mark.parametrize(
    "head",
    [
        HEAD + b"X-Long: " + b"a" * MAX_HEAD_BYTES,
        HEAD + b"X-Many: a\r\n" * (MAX_HEAD_BYTES // 10),
        b"GET /health?" + b"a" * MAX_HEAD_BYTES,
    ],
)
def test_a_head_without_an_end_is_refused(dial, head):
    connection = dial()
    connection.sendall(head)
    status, problem = answer_of(connection)
    assert status == 431 and problem["error"] == "request_header_fields_too_large"
    assert str(MAX_HEAD_BYTES) in problem["detail"]


def test_a_head_just_below_the_limit_is_read(caller):
    padding = "a" * (MAX_HEAD_BYTES - 1000)
    assert caller.get("/health", headers={"x-long": padding}).status_code == 200


def test_requests_in_one_piece_are_counted_apart(dial):
    body = b'{"seed": 1}' + b" " * 9000
    post = b"POST /reset HTTP/1.1\r\nHost: server\r\nContent-Type: application/json\r\n"
    post += b"Content-Length: %d\r\n\r\n" % len(body) + body
    connection = dial()
    connection.sendall(post * 3 + HEAD + b"Connection: close\r\n\r\n")
    received = b""
    while data := connection.recv(65536):
        received += data
    assert received.count(b"HTTP/1.1 200 OK") == 4


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        HEAD,
        b"POST /step HTTP/1.1\r\nHost: s\r\nContent-Type: application/json\r\n"
        b"Content-Length: 9\r\n\r\n{",
    ],
)
def test_a_request_without_an_end_is_closed(monkeypatch, dial, beginning):
    monkeypatch.setattr(connection_limits, "HEAD_TIMEOUT_S", SHORT_S)
    monkeypatch.setattr(connection_limits, "BODY_TIMEOUT_S", SHORT_S)
    connection = dial()
    connection.sendall(beginning)
    status, problem = answer_of(connection)
    assert status == 408 and problem["error"] == "request_timeout"


def test_a_head_that_drips_is_closed(monkeypatch, dial):
    monkeypatch.setattr(connection_limits, "HEAD_TIMEOUT_S", SHORT_S)
    connection = dial()
    connection.sendall(HEAD)
    began = time.monotonic()
    while not is_closed(connection):
        assert time.monotonic() - began < TIMEOUT_S
        connection.setblocking(True)
        try:
            connection.sendall(b"X")
        except (BrokenPipeError, ConnectionResetError):
            break
        select.select([connection], [], [], SHORT_S / 10)  # the pace of the drip


@pytest.fixture
def room(monkeypatch):
    """A server for four connections, of which two may wait."""
    monkeypatch.setattr(Connections, "of_files", lambda files: Connections(4, 2))
    monkeypatch.setattr(connection_limits, "GRACE_S", SHORT_S)


def test_the_connection_that_waits_longest_gives_way(monkeypatch, room, dial):
    monkeypatch.setattr(connection_limits, "GRACE_S", 0.0)  # none is ever new
    first, second, third = dial(), dial(), dial()
    until(lambda: is_closed(first))
    assert not is_closed(second) and not is_closed(third)


def test_a_connection_that_has_just_come_does_not_give_way(room, dial):
    waiting = [dial() for _ in range(4)]
    waiting[0].sendall(HEAD + b"Connection: close\r\n\r\n")
    assert b"200 OK" in waiting[0].recv(65536)


def test_a_server_has_as_many_connections_as_files():
    assert Connections.of_files(1024).most < 1024
    assert Connections.of_files(1024).most_waiting < Connections.of_files(1024).most
    assert Connections.of_files(16).most > 0


def test_the_limit_of_open_files_is_raised_and_never_lowered(monkeypatch):
    limits = {"now": (1024, 524288)}
    monkeypatch.setattr("resource.getrlimit", lambda _: limits["now"])
    monkeypatch.setattr("resource.setrlimit", lambda _, new: limits.update(now=new))
    raise_open_files()
    assert limits["now"] == (MAX_FILES, 524288)
    limits["now"] = (10 * MAX_FILES, 10 * MAX_FILES)
    raise_open_files()
    assert limits["now"][0] == 10 * MAX_FILES


def test_more_connections_than_the_limit_are_refused_with_a_reason(room, dial):
    _others = [dial() for _ in range(4)]
    connection = dial()
    connection.sendall(HEAD + b"\r\n")
    status, problem = answer_of(connection)
    assert status == 503 and problem["error"] == "too_many_connections"
    socket_request = dial()
    socket_request.sendall(
        b"GET /ws HTTP/1.1\r\nHost: s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert answer_of(socket_request)[0] == 503


@pytest.mark.parametrize("text", [b"NONSENSE\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00"])
def test_a_request_that_is_no_http_gets_a_problem(dial, text):
    connection = dial()
    connection.sendall(text)
    status, problem = answer_of(connection)
    assert status == 400 and problem["error"] == "malformed_request"


def test_a_large_body_gets_a_problem(caller):
    body = b'{"policy": "' + b"a" * MAX_MESSAGE_BYTES + b'"}'
    for content in (body, iter([body])):  # with its length, and in chunks
        answer = caller.post("/reset", content=content, headers={"content-type": JSON})
        assert answer.status_code == 413 and answer.json()["error"] == "content_too_large"


JSON = "application/json"


@pytest.mark.parametrize("path", ["/ws", "/mcp"])
def test_a_large_message_closes_its_socket(url, path):
    with connect(url.replace("http", "ws") + path, compression=None) as client:
        client.send(json.dumps({"type": "reset", "data": {"policy": "a" * MAX_MESSAGE_BYTES}}))
        with pytest.raises(ConnectionClosed) as closed:
            client.recv()
    assert close_code(closed.value) == 1009


def test_a_message_that_grows_by_decompression_closes_its_socket(url):
    with connect(url.replace("http", "ws") + "/ws") as client:
        client.send(json.dumps({"type": "a" * (100 * MAX_MESSAGE_BYTES)}))
        with pytest.raises(ConnectionClosed) as closed:
            client.recv()
    assert close_code(closed.value) == 1009


def test_a_large_message_is_refused_in_any_server(client):
    with client.websocket_connect("/ws") as session:
        session.send_json({"type": "step", "data": {**WAIT, "x": "a" * MAX_MESSAGE_BYTES}})
        message = session.receive()
    assert message["type"] == "websocket.close" and message["code"] == 1009
