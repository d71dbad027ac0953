"""Client of the replicas' control ports, for both backends with real replicas.

Never retries and never guesses: any other answer raises ReplicaUnreachable.
"""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from pydantic import TypeAdapter, ValidationError

from chaos.fault import Impairments
from orchestrator.errors import ReplicaUnreachable
from orchestrator.telemetry.scrape import parse
from orchestrator.telemetry.window import Sample
from services.runtime.authorization import bearer
from sre_autopilot.world.impairment_digest import NOTHING_IMPAIRED, impairment_digest
from sre_autopilot.world.signals import ControlRoute
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import Release

TIMEOUT_S = 5.0
"""Answers take milliseconds; a machine that stalls for seconds is no reason to end an episode."""

_IMPAIRMENTS = TypeAdapter(Impairments)


@dataclass(frozen=True, slots=True)
class Target:
    """A process that serves: its name and the base URLs of its two ports."""

    name: str
    data_url: str
    control_url: str


@dataclass(frozen=True, slots=True)
class CallerRouting:
    """The routing of one caller: URLs of each callee's serving replicas, and open breakers."""

    endpoints: Mapping[Service, Mapping[str, str]]
    open_breakers: Collection[Service]


class ControlClient:
    """Calls control ports, any number at once. Close it when done."""

    def __init__(
        self,
        timeout_s: float = TIMEOUT_S,
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        token: str | None = None,
    ) -> None:
        """token: of the mesh, sent with every call."""
        self._headers = bearer(token)
        self._timeout_s = timeout_s
        self._transport = transport
        self._clients: dict[str, httpx.AsyncClient] = {}
        self._ordered: dict[str, tuple[Target, int]] = {}

    async def scrape(self, target: Target) -> Sample:
        """The target's counters so far. Raises ReplicaUnreachable, as all methods do."""
        response = await self._ask(target, "GET", ControlRoute.METRICS)
        try:
            return parse(response.text, time.monotonic())
        except ValueError as error:
            raise ReplicaUnreachable(target.name, str(error)) from error

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
        self._ordered[target.name] = target, _digest(impairments)
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

    async def flush(self, target: Target) -> None:
        """Returns when all finished spans of the target are exported."""
        await self._ask(target, "POST", ControlRoute.FLUSH)

    async def drop_connections(self, name: str) -> None:
        """Closes the connections to a process that has exited, before another gets its address."""
        self._ordered.pop(name, None)
        if client := self._clients.pop(name, None):
            await client.aclose()

    async def aclose(self) -> None:
        for name in tuple(self._clients):
            await self.drop_connections(name)

    def _client(self, name: str) -> httpx.AsyncClient:
        if name not in self._clients:
            # Plain HTTP inside the mesh: no proxy of the environment, and no TLS to set up (30 ms).
            self._clients[name] = httpx.AsyncClient(
                headers=self._headers,
                timeout=self._timeout_s,
                trust_env=False,
                transport=self._transport or AiohttpTransport(verify=False, trust_env=False),
            )
        return self._clients[name]

    async def _ask(
        self, target: Target, method: str, route: ControlRoute, body: object = None
    ) -> httpx.Response:
        try:
            client = self._client(target.name)
            response = await client.request(method, target.control_url + route, json=body)
            response.raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError) as error:
            reason = f"{method} {route}: {str(error) or type(error).__name__}"
            raise ReplicaUnreachable(target.name, reason) from error
        return response


def _digest(impairments: Impairments) -> int:
    return impairment_digest(
        held_connections=impairments.held_connections,
        partitioned=impairments.partitioned,
        drop_ratio=impairments.drop_ratio,
        cpu_fraction=impairments.cpu_fraction,
        neighbour_cpu_pct=impairments.neighbour_cpu_pct,
    )
