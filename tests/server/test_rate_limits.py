"""Rate limits: buckets by a clock of the test's own, and what the routes answer."""

import json
import os

import pytest
from fastapi.testclient import TestClient

from orchestrator.errors import TooManyCalls
from orchestrator.settings import Settings
from server.rate_limits import MOST_ADDRESSES, TOTAL, Cost, RateLimits, client_of
from server.workers.shared_memory import SharedMemory
from tests.server.doors import WAIT, make_app

CREATE = {"jsonrpc": "2.0", "id": 1, "method": "openenv/session/create"}
RATE = 8
BURST = 2
"""A quarter of it."""


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def limits(clock):
    return RateLimits(Settings(resets_per_minute=RATE, graded_per_minute=RATE), clock)


def of(host):
    return {"client": (host, 4711)}


def admitted(limits, host, calls):
    """How many of so many calls at once are admitted."""
    count = 0
    for _ in range(calls):
        try:
            limits.admit(Cost.RESETS, of(host))
        except TooManyCalls:
            continue
        count += 1
    return count


def test_a_burst_is_admitted_and_then_the_rate(limits, clock):
    assert admitted(limits, "192.0.2.1", 10) == BURST
    clock.now += 60
    assert admitted(limits, "192.0.2.1", 10) == BURST
    clock.now += 60 / RATE
    assert admitted(limits, "192.0.2.1", 10) == 1


def test_a_refusal_says_when_to_try_again_and_that_is_true(limits, clock):
    admitted(limits, "192.0.2.1", BURST)
    with pytest.raises(TooManyCalls, match="SRE_RESETS_PER_MINUTE") as refused:
        limits.admit(Cost.RESETS, of("192.0.2.1"))
    assert 0 < refused.value.retry_after_s <= 60 / RATE + 1
    clock.now += refused.value.retry_after_s
    limits.admit(Cost.RESETS, of("192.0.2.1"))


def test_clients_and_costs_are_counted_apart(limits):
    assert admitted(limits, "192.0.2.1", 10) == BURST
    assert admitted(limits, "192.0.2.2", 10) == BURST
    limits.admit(Cost.GRADED, of("192.0.2.1"))


def test_all_clients_together_are_bounded(limits):
    hosts = [f"192.0.2.{number}" for number in range(50)]
    assert sum(admitted(limits, host, 10) for host in hosts) == TOTAL * BURST


def test_addresses_of_one_network_are_one_client():
    assert client_of(of("2001:db8::1")) == client_of(of("2001:db8::ffff:2"))
    assert client_of(of("2001:db8::1")) != client_of(of("2001:db8:1::1"))
    assert client_of(of("192.0.2.1")) != client_of(of("192.0.2.2"))
    assert client_of({}) == client_of({"client": None}) == ""


def test_memory_is_bounded_whatever_addresses_call(limits):
    for number in range(MOST_ADDRESSES + 10):
        admitted(limits, f"host-{number}", 1)
    assert len(limits._store._buckets) == MOST_ADDRESSES


def test_workers_that_share_buckets_admit_no_more_than_one(clock):
    memory = SharedMemory.create(1)
    settings = Settings(resets_per_minute=RATE)
    first, second = (RateLimits(settings, clock, SharedMemory(memory.fd)) for _ in range(2))
    assert admitted(first, "client", 1) == 1
    assert admitted(second, "client", 3) == BURST - 1
    assert admitted(first, "client", 3) == 0
    os.close(memory.fd)


@pytest.fixture
def limited(workshop):
    app = make_app(workshop, resets_per_minute=1, graded_per_minute=1, max_sessions=9)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/reset", {}),
        ("GET", "/grader?tier=easy", None),
        ("GET", "/baseline", None),
        ("POST", "/mcp", CREATE),
    ],
)
def test_costly_routes_are_limited(limited, method, path, body):
    assert limited.request(method, path, json=body).status_code == 200
    refused = limited.request(method, path, json=body)
    assert refused.status_code == 429
    assert refused.json()["error"] == "too_many_calls"
    assert int(refused.headers["retry-after"]) > 1


def test_new_sessions_of_mcp_clients_are_limited(limited):
    initialize = {
        **{"jsonrpc": "2.0", "id": 1, "method": "initialize"},
        "params": {
            "protocolVersion": "2025-03-26",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }
    headers = {
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
    }
    content = json.dumps(initialize)
    assert limited.post("/mcp", content=content, headers=headers).status_code == 200
    refused = limited.post("/mcp", content=content, headers=headers)
    assert refused.status_code == 429 and refused.json()["error"] == "too_many_calls"


def test_steps_and_questions_are_not_limited(limited):
    limited.post("/reset", json={"seed": 1})
    limited.get("/grader?tier=easy")
    for _ in range(30):
        assert limited.post("/step", json=WAIT).status_code == 200
        assert limited.get("/state").status_code == 200
    assert limited.get("/grader").status_code == 200
