"""Calls as their caller sees them: outcomes, times, turns, breakers, traces."""

import asyncio
import time

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, format_span_id, format_trace_id

from services.runtime.app import Runtime
from services.runtime.downstream import BreakerOpen, CallFailed
from sre_autopilot.world.signals import (
    CLIENT_DURATION,
    FALLBACKS,
    LABEL_OUTCOME,
    LABEL_PEER,
    SPAN_OUTCOME,
    SPAN_PEER,
    Outcome,
)
from sre_autopilot.world.topology import CALL_TIMEOUT_S, USER_TIMEOUT_S, USERS, Service
from tests.services.conftest import MakeRuntime
from tests.services.neighbours import Callee, route, sample

pytestmark = pytest.mark.anyio

PAYMENT = Service.PAYMENT_GATEWAY


@pytest.fixture
def hasty(make_runtime: MakeRuntime) -> Runtime:
    """A caller with the world's time-out."""
    return make_runtime(f"{Service.ORDER_SERVICE}-0")


@pytest.fixture
def caller(patience: None, make_runtime: MakeRuntime) -> Runtime:
    return make_runtime(f"{Service.ORDER_SERVICE}-0")


def recorded(runtime: Runtime, outcome: Outcome, what: str = "count") -> float:
    labels = {LABEL_PEER: PAYMENT, LABEL_OUTCOME: outcome}
    return sample(runtime.metrics.registry, f"{CLIENT_DURATION}_{what}", **labels)


def client_span(spans: InMemorySpanExporter) -> ReadableSpan:
    [span] = [s for s in spans.get_finished_spans() if s.kind is SpanKind.CLIENT]
    return span


async def fail(runtime: Runtime) -> Outcome:
    with pytest.raises(CallFailed) as failure:
        await runtime.downstream.get(PAYMENT, "/")
    assert failure.value.callee == PAYMENT
    return failure.value.outcome


async def test_an_answer_is_ok(caller: Runtime, spans: InMemorySpanExporter) -> None:
    async with Callee(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ntrue").listening() as callee:
        route(caller, callee.address, to=PAYMENT)
        answer = await caller.downstream.post(PAYMENT, "/charges?a=1", {"amount_cents": 3})
        assert answer.json() is True
    assert callee.requests[0].startswith("POST /charges?a=1 HTTP/1.1")
    assert recorded(caller, Outcome.OK) == 1
    assert 0.0 < recorded(caller, Outcome.OK, "sum") < CALL_TIMEOUT_S
    attributes = client_span(spans).attributes or {}
    assert (attributes[SPAN_PEER], attributes[SPAN_OUTCOME]) == (PAYMENT, Outcome.OK)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_5xx_is_an_error(caller: Runtime, spans: InMemorySpanExporter, status: int) -> None:
    answer = f"HTTP/1.1 {status} Bad\r\ncontent-length: 0\r\n\r\n".encode()
    async with Callee(answer).listening() as callee:
        route(caller, callee.address, to=PAYMENT)
        assert await fail(caller) is Outcome.ERROR
    assert recorded(caller, Outcome.ERROR) == 1
    assert client_span(spans).status.status_code is StatusCode.ERROR


async def test_a_4xx_is_an_answer(caller: Runtime) -> None:
    answer = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"
    async with Callee(answer).listening() as callee:
        route(caller, callee.address, to=PAYMENT)
        assert (await caller.downstream.get(PAYMENT, "/")).status_code == 404
    assert recorded(caller, Outcome.OK) == 1


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (b"", Outcome.REFUSED),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nhalf of", Outcome.ERROR),
        (b"nonsense\r\n\r\n", Outcome.REFUSED),
    ],
)
async def test_a_call_cut_short(caller: Runtime, answer: bytes, outcome: Outcome) -> None:
    async with Callee(answer, hangs_up=True).listening() as callee:
        route(caller, callee.address, to=PAYMENT)
        assert await fail(caller) is outcome
    assert recorded(caller, outcome) == 1


async def test_a_closed_port_refuses_at_once(caller: Runtime) -> None:
    async with Callee().listening() as callee:
        address = callee.address
    route(caller, address, to=PAYMENT)
    assert await fail(caller) is Outcome.REFUSED
    assert recorded(caller, Outcome.REFUSED, "sum") < CALL_TIMEOUT_S


async def test_no_replica_at_all_is_refused_and_still_a_span(
    caller: Runtime, spans: InMemorySpanExporter
) -> None:
    route(caller, to=PAYMENT)
    assert await fail(caller) is Outcome.REFUSED
    assert recorded(caller, Outcome.REFUSED) == 1
    span = client_span(spans)
    assert span.attributes is not None
    assert (span.attributes[SPAN_PEER], span.attributes[SPAN_OUTCOME]) == (PAYMENT, Outcome.REFUSED)
    assert span.status.status_code is StatusCode.ERROR


@pytest.mark.parametrize("answer", [None, b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nhalf"])
async def test_a_time_out_counts_as_exactly_the_time_out(
    hasty: Runtime, spans: InMemorySpanExporter, answer: bytes | None
) -> None:
    async with Callee(answer).listening() as callee:
        route(hasty, callee.address, to=PAYMENT)
        assert await fail(hasty) is Outcome.TIMEOUT
    assert recorded(hasty, Outcome.TIMEOUT, "sum") == CALL_TIMEOUT_S
    assert (client_span(spans).attributes or {})[SPAN_OUTCOME] == Outcome.TIMEOUT


async def test_users_are_more_patient(make_runtime: MakeRuntime) -> None:
    users = make_runtime(USERS)
    started = time.perf_counter()
    async with Callee(None).listening() as callee:
        route(users, callee.address, to=PAYMENT)
        assert await fail(users) is Outcome.TIMEOUT
    assert time.perf_counter() - started >= USER_TIMEOUT_S
    assert recorded(users, Outcome.TIMEOUT, "sum") == USER_TIMEOUT_S


async def test_replicas_take_turns_call_by_call(caller: Runtime) -> None:
    async with Callee().listening() as one, Callee().listening() as two:
        route(caller, one.address, two.address, to=PAYMENT)
        for _ in range(6):
            await caller.downstream.get(PAYMENT, "/")
        assert (len(one.requests), len(two.requests)) == (3, 3)
        route(caller, two.address, to=PAYMENT)
        for _ in range(3):
            await caller.downstream.get(PAYMENT, "/")
    assert (len(one.requests), len(two.requests)) == (3, 6)


async def test_a_replica_that_fails_keeps_its_turn(caller: Runtime) -> None:
    bad = Callee(b"HTTP/1.1 500 Bad\r\ncontent-length: 0\r\n\r\n")
    async with bad.listening(), Callee().listening() as good:
        route(caller, bad.address, good.address, to=PAYMENT)
        for _ in range(4):
            await asyncio.gather(caller.downstream.get(PAYMENT, "/"), return_exceptions=True)
    assert (len(bad.requests), len(good.requests)) == (2, 2)


async def test_an_open_breaker_makes_no_call(caller: Runtime, spans: InMemorySpanExporter) -> None:
    async with Callee().listening() as callee:
        route(caller, callee.address, to=PAYMENT, broken=True)
        with pytest.raises(BreakerOpen):
            await caller.downstream.get(PAYMENT, "/")
        assert callee.requests == []
        route(caller, callee.address, to=PAYMENT)
        await caller.downstream.get(PAYMENT, "/")
    assert sample(caller.metrics.registry, FALLBACKS, **{LABEL_PEER: PAYMENT}) == 1
    assert len(spans.get_finished_spans()) == 1


async def test_the_trace_goes_on_at_the_callee(
    caller: Runtime, spans: InMemorySpanExporter
) -> None:
    async with Callee().listening() as callee:
        route(caller, callee.address, to=PAYMENT)
        with caller.tracing.tracer.start_as_current_span("root") as root:
            await caller.downstream.get(PAYMENT, "/")
    span = client_span(spans)
    assert span.parent is not None
    assert span.parent.span_id == root.get_span_context().span_id
    _, trace_id, parent_id, _ = callee.header("traceparent").split("-")
    assert trace_id == format_trace_id(root.get_span_context().trace_id)
    assert parent_id == format_span_id(span.context.span_id)


async def test_a_partitioned_caller_reaches_no_callee_until_healed(hasty: Runtime) -> None:
    async with Callee().listening() as callee:
        route(hasty, callee.address, to=PAYMENT)
        hasty.link.partitioned = 1.0
        assert await fail(hasty) is Outcome.TIMEOUT
        assert callee.requests == []
        hasty.link.partitioned = 0.0
        await hasty.downstream.get(PAYMENT, "/")
    assert len(callee.requests) == 1
