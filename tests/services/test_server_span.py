"""The span of a call that is served: its parent, its name, its attributes, its end."""

import httpx
import pytest
from fastapi import FastAPI, HTTPException
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from services.runtime.server_span import ServerSpanMiddleware

pytestmark = pytest.mark.anyio

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def app(spans: InMemorySpanExporter) -> FastAPI:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    app = FastAPI(openapi_url=None)
    app.add_middleware(ServerSpanMiddleware, tracer=provider.get_tracer("test"))

    @app.get("/users/{name}")
    async def find(name: str) -> str:
        return format(trace.get_current_span().get_span_context().span_id, "016x")

    @app.get("/fails/{status}")
    async def fail(status: int) -> None:
        if status == 0:
            raise ZeroDivisionError
        raise HTTPException(status)

    return app


async def called(app: FastAPI, path: str, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        return await client.get(path, headers=headers)


def only(spans: InMemorySpanExporter) -> ReadableSpan:
    [span] = spans.get_finished_spans()
    return span


async def test_span_is_named_by_its_route_and_current_inside(
    app: FastAPI, spans: InMemorySpanExporter
) -> None:
    answer = await called(app, "/users/ann?x=1")
    span = only(spans)
    assert (span.name, span.kind, span.parent) == ("GET /users/{name}", SpanKind.SERVER, None)
    assert span.context is not None
    assert answer.json() == format(span.context.span_id, "016x")
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.route": "/users/{name}",
        "url.path": "/users/ann",
        "url.query": "x=1",
        "url.scheme": "http",
    }
    assert span.status.status_code is StatusCode.UNSET


async def test_trace_of_the_caller_goes_on(app: FastAPI, spans: InMemorySpanExporter) -> None:
    await called(app, "/users/ann", traceparent=f"00-{TRACE}-{PARENT}-01")
    span = only(spans)
    assert span.parent is not None and span.context is not None
    assert format(span.parent.span_id, "016x") == PARENT
    assert format(span.context.trace_id, "032x") == TRACE


@pytest.mark.parametrize(
    ("status", "recorded", "code"),
    [(404, 404, StatusCode.UNSET), (503, 503, StatusCode.ERROR), (0, 500, StatusCode.ERROR)],
)
async def test_a_5xx_is_an_error_and_a_4xx_is_none(
    app: FastAPI, spans: InMemorySpanExporter, *, status: int, recorded: int, code: StatusCode
) -> None:
    await called(app, f"/fails/{status}")
    span = only(spans)
    attributes = span.attributes or {}
    assert attributes["http.response.status_code"] == recorded
    assert span.status.status_code is code
    assert attributes.get("error.type") == (str(recorded) if code is StatusCode.ERROR else None)


async def test_call_of_no_route_is_named_by_its_method(
    app: FastAPI, spans: InMemorySpanExporter
) -> None:
    await called(app, "/nowhere")
    span = only(spans)
    assert span.name == "GET"
    assert "http.route" not in (span.attributes or {})
