"""Calls to other services: by name, with time-outs, measured as their caller sees them.

Never ejects a replica: the orchestrator decides which of them serve.
"""

import asyncio
import time
from typing import Any

import httpx
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer
from pydantic_core import to_json

from services.runtime.authorization import bearer
from services.runtime.link import Link
from services.runtime.mesh_route import JSON
from services.runtime.metrics import Metrics
from services.runtime.routing import Endpoint, Routing
from services.runtime.tracing import PROPAGATOR, Attribute
from services.runtime.wire import TARGET, CutShort, Wire
from sre_autopilot.world.signals import SPAN_OUTCOME, SPAN_PEER, Outcome
from sre_autopilot.world.topology import Service

_ROOTS = {service: httpx.URL(f"http://{service}/") for service in Service}


class CallFailed(Exception):
    """A call to `callee` that got no usable answer."""

    def __init__(self, callee: str, outcome: Outcome) -> None:
        self.callee, self.outcome = callee, outcome
        super().__init__(f"{callee}: {outcome}")


class BreakerOpen(CallFailed):
    """A call that was not made: the caller answers from its fallback."""

    def __init__(self, callee: str) -> None:
        super().__init__(callee, Outcome.REFUSED)


def mesh_request(method: str, callee: Service, path: str, payload: Any = None) -> httpx.Request:
    """A request of `path`, which may have a query; with `payload` as JSON unless it is None.

    Its URL is the callee's root and its path an extension: parsing a URL costs as much as a span.
    So does finding out which headers a body needs, so they are given.
    """
    headers, body = [(b"Host", callee.encode())], b""
    if payload is not None:
        body = to_json(payload)
        headers += (b"Content-Type", JSON.encode()), (b"Content-Length", b"%d" % len(body))
    return httpx.Request(
        method,
        _ROOTS[callee],
        headers=headers,
        stream=httpx.ByteStream(body),
        extensions={TARGET: path.encode("ascii")},
    )


class MeshTransport(httpx.AsyncBaseTransport):
    """Sends a mesh request to the replica whose turn it is, as a span, and records how that ended.

    The answer is read whole, inside the time-out and inside the span.
    """

    def __init__(
        self,
        timeout_s: float,
        routing: Routing,
        link: Link,
        metrics: Metrics,
        *,
        tracer: Tracer,
        token: str | None = None,
    ) -> None:
        self._timeout_s = timeout_s
        self._routing = routing
        self._link = link
        self._metrics = metrics
        self._tracer = tracer
        self._headers = bearer(token)
        self._wires: dict[tuple[Service, Endpoint], Wire] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises CallFailed."""
        callee = Service(request.url.host)
        span = self._tracer.start_span(request.method, kind=SpanKind.CLIENT)
        PROPAGATOR.inject(request.headers, trace.set_span_in_context(span))
        started = time.perf_counter()
        response: httpx.Response | None = None
        failure: Exception | None = None
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._send(callee, request)
        except (TimeoutError, httpx.TransportError) as error:
            failure = error
        finally:
            took_s = time.perf_counter() - started
            outcome = judge(response, failure)
            _describe(span, request, response, outcome)
            span.end()
        # A stalled loop notices a time-out late; it is recorded with its nominal length.
        self._metrics.called.labels(callee, outcome).observe(
            self._timeout_s if outcome is Outcome.TIMEOUT else took_s
        )
        if response is None:
            raise CallFailed(callee, outcome)
        return response

    async def _send(self, callee: Service, request: httpx.Request) -> httpx.Response:
        if self._link.silences_outgoing():
            await asyncio.Event().wait()
        endpoint = self._routing.next_endpoint(callee)
        if endpoint is None:
            raise httpx.ConnectError(f"no replica of {callee} serves")
        return await self._wire(callee, endpoint).handle_async_request(request)

    def _wire(self, callee: Service, endpoint: Endpoint) -> Wire:
        """The connections to one generation of a replica; closes those to earlier ones."""
        if (callee, endpoint) not in self._wires:
            for stale in [k for k in self._wires if k[1] not in self._routing.endpoints(k[0])]:
                closing = asyncio.create_task(self._close_idle(self._wires.pop(stale)))
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)
            self._wires[callee, endpoint] = Wire(endpoint.address, self._headers)
        return self._wires[callee, endpoint]

    async def _close_idle(self, wire: Wire) -> None:
        """Waits a time-out first, after which no call over it is under way."""
        try:
            await asyncio.sleep(self._timeout_s)
        finally:
            await wire.aclose()

    async def aclose(self) -> None:
        for closing in self._closing:
            closing.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)
        for wire in self._wires.values():
            await wire.aclose()


class Downstream:
    """The client that a service calls others with; every call is a span."""

    def __init__(self, mesh: MeshTransport, routing: Routing, metrics: Metrics) -> None:
        self._mesh = mesh
        self._routing = routing
        self._metrics = metrics

    async def get(self, callee: Service, path: str) -> httpx.Response:
        """GET; see `call`."""
        return await self.call(mesh_request("GET", callee, path))

    async def post(self, callee: Service, path: str, payload: Any) -> httpx.Response:
        """POST of a JSON payload; see `call`."""
        return await self.call(mesh_request("POST", callee, path, payload))

    async def call(self, request: httpx.Request) -> httpx.Response:
        """The answer, which is never a 5xx. Raises CallFailed, or BreakerOpen without a call."""
        callee = Service(request.url.host)
        if self._routing.breaker_open(callee):
            self._metrics.fallbacks.labels(callee).inc()
            raise BreakerOpen(callee)
        response = await self._mesh.handle_async_request(request)
        if response.is_server_error:
            raise CallFailed(callee, Outcome.ERROR)
        return response

    async def aclose(self) -> None:
        await self._mesh.aclose()


def judge(response: httpx.Response | None, failure: Exception | None) -> Outcome:
    """How a call ended. Broken before the answer began is REFUSED; a 4xx is an answer."""
    if isinstance(failure, TimeoutError):
        return Outcome.TIMEOUT
    if isinstance(failure, CutShort):
        return Outcome.ERROR
    if response is None:
        return Outcome.REFUSED
    return Outcome.ERROR if response.is_server_error else Outcome.OK


def _describe(
    span: Span, request: httpx.Request, response: httpx.Response | None, outcome: Outcome
) -> None:
    """Sets attributes and status by OpenTelemetry's conventions for HTTP clients, where a 4xx is
    an error too.
    """
    host = request.url.host
    attributes: dict[str, str | int] = {
        Attribute.METHOD: request.method,
        Attribute.URL: f"http://{host}{request.extensions[TARGET].decode()}",
        SPAN_PEER: host,
        SPAN_OUTCOME: outcome.value,
    }
    if response is not None:
        attributes[Attribute.STATUS] = response.status_code
    if response is None or response.is_error:
        attributes[Attribute.ERROR] = str(response.status_code) if response else outcome.value
        span.set_status(StatusCode.ERROR)
    span.set_attributes(attributes)
