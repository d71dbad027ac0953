"""Any input to any route of the schema: no 5xx, and an error is always a Problem."""

import json
import re
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from server.schemas import Problem, ResetRequest, StepRequest
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, Tier
from tests.server.doors import Workshop, make_app, sessions_in_use

MANY_SESSIONS = 1000
EXAMPLES = 200
"""`make fuzz` and `make fuzz-schema` send thousands."""
KINDS = ("application/json", "application/json; charset=utf-8", "text/plain", "", "a/b+json")

any_text = st.text(st.characters(), max_size=20)
"""Lone surrogates too: JSON can escape them."""
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), any_text, st.just(10**400)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from([*Service, *ActionName, *Tier, "default", "tools/call", "tools/list"])
fields = st.sampled_from(
    [
        *(*ResetRequest.model_fields, *StepRequest.model_fields),
        *("jsonrpc", "method", "params", "id", "name", "arguments"),
    ]
)
objects = st.dictionaries(fields | any_text, names | values, max_size=5)
rpc = st.fixed_dictionaries(
    {
        "jsonrpc": st.just("2.0"),
        "method": st.sampled_from(["tools/list", "tools/call", "openenv/session/close"]) | any_text,
        "params": st.dictionaries(fields, names | values, max_size=4),
    },
    optional={"id": scalars},
)
bodies = st.one_of(objects, rpc, values, objects.map(lambda inner: {"action": inner}))
contents = bodies.map(lambda body: json.dumps(body).encode()) | st.binary(max_size=40)


@pytest.fixture(scope="module")
def client():
    app = make_app(Workshop(), max_sessions=MANY_SESSIONS)
    with TestClient(app, raise_server_exceptions=False) as client:
        client.post("/reset", json={"seed": 1})
        yield client


OPERATIONS = [
    (method, path)
    for path, operations in make_app(Workshop()).openapi()["paths"].items()
    for method in operations
    if (method, path) != ("get", "/baseline")
]


def test_the_schema_lists_the_routes():
    assert {path for _, path in OPERATIONS} >= {
        *("/reset", "/step", "/state", "/sessions/{session_id}", "/ready", "/tasks", "/grader"),
        *("/health", "/metadata", "/schema", "/mcp"),
    }


@settings(max_examples=EXAMPLES, derandomize=True, database=None)
@given(
    operation=st.sampled_from(OPERATIONS)
    | st.sampled_from([("post", "/reset"), ("post", "/step"), ("post", "/mcp")]),
    content=contents,
    kind=st.sampled_from(KINDS),
    query=st.dictionaries(
        st.sampled_from(["session_id", "tier", "seed", "backend"]), names | st.text(max_size=9)
    ),
    name=st.text(min_size=1, max_size=9) | st.just("default"),
)
def test_no_input_breaks_the_server(client, operation, content, *, kind, query, name):
    method, path = operation
    answer = client.request(
        method,
        re.sub(r"\{\w+\}", lambda _: quote(name.encode("utf-8"), safe=""), path),
        params=query,
        content=None if method in {"get", "delete"} else content,
        headers={"content-type": kind} if kind else {},
    )
    assert answer.status_code < 500, answer.text
    if answer.is_error:
        Problem.model_validate(answer.json())


def test_the_server_still_plays(client):
    answer = client.post("/reset", json={"seed": 1})
    assert answer.status_code == 200
    assert client.post("/step", json={"action": ActionName.WAIT}).status_code == 200
    assert 0 < sessions_in_use(client) < MANY_SESSIONS
