"""Which session a request is of: read from its path, its query, its body or its headers."""

import json

import pytest

from server.connection_limits import MAX_MESSAGE_BYTES
from server.workers import forwarding
from server.workers.place import CLIENT_HEADER, TOKEN_HEADER
from tests.server.doors import Workshop, make_app

pytestmark = pytest.mark.anyio


def body_of(value):
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        ("/reset", b"", "default"),
        ("/reset", b"{}", "default"),
        ("/step", body_of({"action": "wait"}), "default"),
        ("/step", body_of({"session_id": "mine", "action": "wait"}), "mine"),
        ("/mcp", body_of({"params": {"session_id": "mine"}}), "mine"),
        ("/mcp", body_of({"method": "tools/list"}), None),
        ("/mcp", body_of({"params": ["mine"]}), None),
        ("/mcp", body_of([{"params": {"session_id": "mine"}}]), None),
        ("/reset", b"{", None),
        ("/reset", b"\xff", None),
        ("/reset", b"[" * 50_000, None),
        ("/reset", body_of(["mine"]), None),
        ("/reset", body_of({"session_id": 7}), None),
        ("/reset", body_of({"session_id": None}), None),
    ],
)
def test_a_body_names_its_session_or_none(path, body, name):
    assert forwarding._name_in_body(path, body) == name


@pytest.mark.parametrize(
    ("query", "name"),
    [
        (b"", "default"),
        (b"session_id=mine", "mine"),
        (b"session_id=mine&session_id=other", "mine"),
        (b"session_id=a%3Ab", "a:b"),
        (b"tier=easy", None),
        (b"tier=easy&session_id=mine", None),
    ],
)
def test_a_query_names_its_session_unless_an_episode_is_to_be_played(query, name):
    assert forwarding._name_in_query({"query_string": query}, "default") == name


@pytest.mark.parametrize(
    ("name", "worker"),
    [
        (None, None),
        ("", None),
        ("abc", None),
        ("7", None),
        ("abc.", None),
        ("abc.x", None),
        ("abc.0", 0),
        ("abc.12", 12),
        ("a.b.3", 3),
        ("a." + "9" * 5000, None),
    ],
)
def test_the_name_of_an_mcp_session_ends_with_its_worker(name, worker):
    assert forwarding._worker_of_mcp_session(name) == worker


def messages(*parts):
    """As an ASGI server gives the parts of a body."""
    last = len(parts) - 1
    return [
        {"type": "http.request", "body": part, "more_body": number < last}
        for number, part in enumerate(parts)
    ]


def receiving(sent):
    waiting = iter(sent)

    async def receive():
        return next(waiting)

    return receive


@pytest.mark.parametrize(
    "parts", [(b"",), (b"one",), (b"one", b"two"), (b"", b"late"), (b"a", b"", b"b")]
)
async def test_a_body_that_was_read_ahead_can_be_read_again(parts):
    sent = [*messages(*parts), {"type": "http.disconnect"}]
    receive, body = await forwarding._read_ahead(receiving(sent))
    assert body == b"".join(parts)
    assert [await receive() for _ in sent] == sent


async def test_no_more_of_a_body_is_read_ahead_than_one_may_have():
    part = b"x" * (MAX_MESSAGE_BYTES // 2)
    sent = messages(*[part] * 6)
    receive, body = await forwarding._read_ahead(receiving(sent))
    assert MAX_MESSAGE_BYTES < len(body) <= 2 * MAX_MESSAGE_BYTES
    assert [await receive() for _ in sent] == sent


async def test_a_client_that_leaves_while_it_sends_ends_the_reading():
    sent = [*messages(b"one", b"two")[:1], {"type": "http.disconnect"}]
    receive, body = await forwarding._read_ahead(receiving(sent))
    assert body == b"one"
    assert [await receive() for _ in sent] == sent


def test_a_request_that_was_passed_on_looks_as_its_client_sent_it():
    own = [(b"host", b"server"), (b"x-request", b"1")]
    marks = [(TOKEN_HEADER.encode(), b"t"), (CLIENT_HEADER.encode(), b"10.1.2.3")]
    scope = {"type": "http", "headers": [*own, *marks], "client": ("127.0.0.1", 4)}
    restored = forwarding._of_client(scope)
    assert restored["headers"] == own
    assert restored["client"] == ("10.1.2.3", 0)
    assert scope["client"] == ("127.0.0.1", 4), "the scope of the connection stays as it is"


def test_every_route_with_a_session_in_its_query_is_passed_on():
    paths = make_app(Workshop()).openapi()["paths"]
    named = {
        path
        for path, operations in paths.items()
        for operation in operations.values()
        for parameter in operation.get("parameters", ())
        if (parameter["in"], parameter["name"]) == ("query", "session_id")
    }
    assert named == forwarding.IN_QUERY
