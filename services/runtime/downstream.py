"""Calls to other services: by name, with time-outs, measured as their caller sees them.

Never retries and never ejects a replica: the orchestrator decides which of them serve.
"""

import asyncio
import time
from typing import Any

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from opentelemetry import trace
from opentelemetry.instrumentation.httpx import AsyncOpenTelemetryTransport
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.trace import TracerProvider

from services.runtime.link import Link
from services.runtime.metrics import Metrics
from services.runtime.routing import Endpoint, Routing
from sre_autopilot.world.signals import SPAN_OUTCOME, SPAN_PEER, Outcome
from sre_autopilot.world.topology import Service

NO_LIMIT = httpx.Limits(max_connections=0, keepalive_expiry=5.0)


class CallFailed(Exception):
    """A call to `callee` that got no usable answer."""

    def __init__(self, callee: str, outcome: Outcome) -> None:
        self.callee, self.outcome = callee, outcome
        super().__init__(f"{callee}: {outcome}")


class BreakerOpen(CallFailed):
    """A call that was not made: the caller answers from its fallback."""

    def __init__(self, callee: str) -> None:
        super().__init__(callee, Outcome.REFUSED)


class MeshTransport(httpx.AsyncBaseTransport):
    """Sends http://SERVICE/path to the replica whose turn it is and records how that ended.

    The answer is read whole, inside the time-out and inside the client span.
    """

    def __init__(self, timeout_s: float, routing: Routing, link: Link, metrics: Metrics) -> None:
        self._timeout_s = timeout_s
        self._routing = routing
        self._link = link
        self._metrics = metrics
        self._wires: dict[tuple[Service, Endpoint], AiohttpTransport] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        callee = Service(request.url.host)
        started = time.perf_counter()
        response: httpx.Response | None = None
        failure: Exception | None = None
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._send(callee, request)
                await response.aread()
        except (TimeoutError, httpx.TransportError) as error:
            failure = error
        took_s = time.perf_counter() - started
        outcome = judge(response, failure)
        # A stalled loop notices a time-out late; it is recorded with its nominal length.
        self._record(callee, outcome, self._timeout_s if outcome is Outcome.TIMEOUT else took_s)
        if response is None or failure is not None:
            # Without its cause: the span records the traceback, and formatting that of a chain
            # costs more CPU than a call.
            raise CallFailed(callee, outcome)
        return response

    async def _send(self, callee: Service, request: httpx.Request) -> httpx.Response:
        if self._link.silences_outgoing():
            await asyncio.Event().wait()
        endpoint = self._routing.next_endpoint(callee)
        if endpoint is None:
            raise httpx.ConnectError(f"no replica of {callee} serves")
        request.url = httpx.URL(endpoint.address + request.url.raw_path.decode("ascii"))
        try:
            return await self._wire(callee, endpoint).handle_async_request(request)
        except (
            aiohttp.ClientError
        ) as error:  # an answer that is not HTTP, which the transport does not map
            raise httpx.RemoteProtocolError(str(error)) from None

    def _record(self, callee: Service, outcome: Outcome, took_s: float) -> None:
        self._metrics.called.labels(callee, outcome).observe(took_s)
        span = trace.get_current_span()
        span.set_attribute(SPAN_PEER, callee)
        span.set_attribute(SPAN_OUTCOME, outcome)

    def _wire(self, callee: Service, endpoint: Endpoint) -> AiohttpTransport:
        """The connections to one generation of a replica; closes those to earlier ones."""
        if (callee, endpoint) not in self._wires:
            for stale in [k for k in self._wires if k[1] not in self._routing.endpoints(k[0])]:
                closing = asyncio.create_task(self._close_idle(self._wires.pop(stale)))
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)
            # Half the CPU of a call over httpx's own transport.
            wire = AiohttpTransport(verify=False, trust_env=False, limits=NO_LIMIT)
            self._wires[callee, endpoint] = wire
        return self._wires[callee, endpoint]

    async def _close_idle(self, wire: AiohttpTransport) -> None:
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

    def __init__(
        self,
        mesh: MeshTransport,
        routing: Routing,
        metrics: Metrics,
        provider: TracerProvider,
    ) -> None:
        self._routing = routing
        self._metrics = metrics
        traced = AsyncOpenTelemetryTransport(
            mesh, tracer_provider=provider, meter_provider=NoOpMeterProvider()
        )
        self._client = httpx.AsyncClient(transport=traced, timeout=None, trust_env=False)

    async def get(self, callee: Service, path: str) -> httpx.Response:
        """GET; see `call`."""
        return await self.call(httpx.Request("GET", f"http://{callee}{path}"))

    async def post(self, callee: Service, path: str, payload: Any) -> httpx.Response:
        """POST of a JSON payload; see `call`."""
        return await self.call(httpx.Request("POST", f"http://{callee}{path}", json=payload))

    async def call(self, request: httpx.Request) -> httpx.Response:
        """The answer, which is never a 5xx. Raises CallFailed, or BreakerOpen without a call."""
        callee = Service(request.url.host)
        if self._routing.breaker_open(callee):
            self._metrics.fallbacks.labels(callee).inc()
            raise BreakerOpen(callee)
        response = await self._client.send(request)
        if response.is_server_error:
            raise CallFailed(callee, Outcome.ERROR)
        return response

    async def aclose(self) -> None:
        await self._client.aclose()


def judge(response: httpx.Response | None, failure: Exception | None) -> Outcome:
    """How a call ended. Broken before the first byte is REFUSED; a 4xx is an answer."""
    if isinstance(failure, TimeoutError):
        return Outcome.TIMEOUT
    if response is None:
        return Outcome.REFUSED
    return Outcome.ERROR if failure is not None or response.is_server_error else Outcome.OK
