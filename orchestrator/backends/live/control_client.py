"""Client of the replicas' control ports, for both backends with real replicas.

Never retries and never guesses: any other answer raises ReplicaUnreachable.
"""

import asyncio
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache

import httpx
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pydantic import TypeAdapter, ValidationError

from chaos.fault import Impairments
from orchestrator.errors import ReplicaUnreachable
from orchestrator.telemetry.scrape import parse
from orchestrator.telemetry.window import Sample
from services.runtime.authorization import bearer
from services.runtime.wire import Wire
from sre_autopilot.world.impairment_digest import NOTHING_IMPAIRED, impairment_digest
from sre_autopilot.world.signals import METRICS_LENGTH, ControlRoute
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import Release

TIMEOUT_S = 5.0
"""Answers take milliseconds; a machine that stalls for seconds is no reason to end an episode."""
FLUSH_TIMEOUT_S = 20.0
"""A container packs its spans and metrics with the CPU that an outage leaves it: hardly any."""

_IMPAIRMENTS = TypeAdapter(Impairments)
_parsed = lru_cache(maxsize=256)(httpx.URL)
"""A window asks each process by the same few URLs, and parsing one costs as much as an answer."""


@dataclass(frozen=True, slots=True)
class Target:
    """A process that serves: its name and the base URLs of its two ports."""

    name: str
    data_url: str
    control_url: str


@dataclass(frozen=True, slots=True)
class Flushed:
    """What a process tells at the end of a window: its counters, and the spans that ended since."""

    sample: Sample
    spans: ExportTraceServiceRequest


@dataclass(frozen=True, slots=True)
class CallerRouting:
    """The routing of one caller: URLs of each callee's serving replicas, and open breakers."""

    endpoints: Mapping[Service, Mapping[str, str]]
    open_breakers: Collection[Service]


class ControlClient:
    """Calls control ports, any number at once. Close it when done."""

    def __init__(
        self, transport: httpx.AsyncBaseTransport | None = None, *, token: str | None = None
    ) -> None:
        """token: of the mesh, sent with every call."""
        self._headers = bearer(token)
        self._transport = transport
        self._wires: dict[str, tuple[str, httpx.AsyncBaseTransport]] = {}
        self._ordered: dict[str, tuple[Target, int]] = {}

    async def scrape(self, target: Target) -> Sample:
        """The target's counters so far. Raises ReplicaUnreachable, as all methods do."""
        asked_at_s = time.monotonic()
        response = await self._ask(target, "GET", ControlRoute.METRICS)
        try:
            return parse(response.content.decode(), asked_at_s)
        except ValueError as error:
            raise ReplicaUnreachable(target.name, str(error)) from error

    async def flush(self, target: Target) -> Flushed:
        """The target's counters so far, and the spans that ended there since the last flush."""
        asked_at_s = time.monotonic()
        response = await self._ask(target, "POST", ControlRoute.FLUSH)
        try:
            length = int(response.headers[METRICS_LENGTH])
            page, spans = response.content[:length], response.content[length:]
            return Flushed(
                parse(page.decode(), asked_at_s), ExportTraceServiceRequest.FromString(spans)
            )
        except (KeyError, ValueError, DecodeError) as error:
            raise ReplicaUnreachable(target.name, f"not a flush: {error}") from error

    async def route(self, target: Target, routing: CallerRouting) -> None:
        """Gives a caller the addresses of its callees."""
        body = {
            "endpoints": {service: dict(urls) for service, urls in routing.endpoints.items()},
            "open_breakers": list(routing.open_breakers),
        }
        await self._ask(target, "PUT", ControlRoute.ROUTING, body)

    async def impair(
        self, target: Target, impairments: Impairments, step: int, ttl_s: float
    ) -> Impairments:
        """Applies `impairments` for `ttl_s` seconds; returns those that are in force now."""
        body = {f.name: getattr(impairments, f.name) for f in fields(impairments)}
        body["held_connections"] = dict(impairments.held_connections)
        body |= {"step": step, "ttl_s": ttl_s}
        response = await self._ask(target, "PUT", ControlRoute.IMPAIRMENTS, body)
        self._ordered[target.name] = target, impairment_digest(impairments)
        try:
            return _IMPAIRMENTS.validate_json(response.content)
        except ValidationError as error:
            raise ReplicaUnreachable(target.name, str(error)) from error

    def impaired_as_ordered(self, target: Target, sample: Sample) -> bool:
        """Whether a scrape of the target shows what it was last ordered; nothing, if it never was.

        True where the target does not say.
        """
        ordered_of, digest = self._ordered.get(target.name, (target, NOTHING_IMPAIRED))
        expected = digest if ordered_of == target else NOTHING_IMPAIRED
        return sample.impairment_digest in (None, expected)

    async def assign(self, target: Target, release: Release, seed: int) -> None:
        """Gives a process its release and the seed of its episode."""
        await self._ask(target, "PUT", ControlRoute.RELEASE, {"release": release, "seed": seed})

    async def seed(self, target: Target) -> int:
        """The seed of the target's episode; UNUSED_SEED before its first."""
        response = await self._ask(target, "GET", ControlRoute.RELEASE)
        try:
            return int(response.json()["seed"])
        except (ValueError, LookupError, TypeError) as error:
            raise ReplicaUnreachable(target.name, f"not a replica's release: {error}") from error

    async def drop_connections(self, name: str) -> None:
        """Closes the connections to a process that has exited, before another gets its address."""
        self._ordered.pop(name, None)
        if name in self._wires:
            _address, wire = self._wires.pop(name)
            await wire.aclose()

    async def aclose(self) -> None:
        for name in tuple(self._wires):
            await self.drop_connections(name)

    async def _wire(self, target: Target) -> httpx.AsyncBaseTransport:
        address, wire = self._wires.get(target.name, ("", None))
        if wire is None or address != target.control_url:
            if wire is not None:
                await wire.aclose()
            wire = self._transport or Wire(target.control_url)
            self._wires[target.name] = target.control_url, wire
        return wire

    async def _ask(
        self, target: Target, method: str, route: ControlRoute, body: object = None
    ) -> httpx.Response:
        try:
            url = _parsed(target.control_url + route)
            request = httpx.Request(method, url, headers=self._headers, json=body)
            flushes = route is ControlRoute.FLUSH
            async with asyncio.timeout(FLUSH_TIMEOUT_S if flushes else TIMEOUT_S):
                response = await (await self._wire(target)).handle_async_request(request)
                await response.aread()
            response.request = request
            response.raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            reason = f"{method} {route}: {str(error) or type(error).__name__}"
            raise ReplicaUnreachable(target.name, reason) from error
        return response
