"""The broker's verbs on containers. Knows no HTTP.

Only a known name, a known verb and a checked number of a request ever reach the engine.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Protocol

import anyio
from pydantic import BaseModel, ConfigDict, Field

from chaos.broker_client import ContainerListed, ContainerState
from orchestrator.broker.docker_engine import RUNNING, Container, ContainerMissing, Listed
from orchestrator.broker.repair import Mender, repair
from orchestrator.broker.reviver import SERVICE_OF, EngineAdmin
from sre_autopilot.errors import UnknownName
from sre_autopilot.world.stack import (
    STALLED_CPU_SHARE,
    STARTING_CPU_CORES,
    BrokerVerb,
    Network,
    Part,
    network_alias,
)
from sre_autopilot.world.topology import LIMITS

MAX_GRACE_S = 10.0

CONTAINER, VERB = "container", "verb"
"""Fields of the errors that name what is unknown."""

log = logging.getLogger(__name__)


class Engine(EngineAdmin, Mender, Protocol):
    """The calls to the engine that the broker and its restart controller make; each blocks."""

    def listing(self) -> Mapping[str, Listed]: ...
    def restart(self, container: Container) -> None: ...
    def stop(self, container: Container, grace_s: float) -> None: ...
    def disconnect(self, container: Container) -> None: ...


class Order(BaseModel):
    """The body of a verb; this one of a verb without arguments."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Stop(Order):
    grace_s: float = Field(ge=0.0, le=MAX_GRACE_S, allow_inf_nan=False)


class Limit(Order):
    """Share of the service's own limit."""

    cpu_share: float = Field(ge=STALLED_CPU_SHARE, le=1.0, allow_inf_nan=False)


ORDERS: Mapping[BrokerVerb, type[Order]] = MappingProxyType(
    {**dict.fromkeys(BrokerVerb, Order), BrokerVerb.STOP: Stop, BrokerVerb.LIMIT: Limit}
)
VERBS: Mapping[str, Sequence[BrokerVerb]] = MappingProxyType(
    {
        **dict.fromkeys(SERVICE_OF, tuple(BrokerVerb)),
        Part.TRAFFIC: (BrokerVerb.START, BrokerVerb.RESTART, BrokerVerb.STOP, BrokerVerb.REPAIR),
        **dict.fromkeys((Part.CHAOS, Part.BROKER, Part.BROKER_STANDBY), (BrokerVerb.REPAIR,)),
    }
)
"""The containers that the broker serves, and the verbs that each accepts."""


class Broker:
    """Carries out verbs, one at a time on each container."""

    def __init__(self, engine: Engine, project: str) -> None:
        self._engine = engine
        self._project = project
        self._locks = {name: asyncio.Lock() for name in VERBS}

    async def containers(self) -> Mapping[str, ContainerListed]:
        listed = await anyio.to_thread.run_sync(self._engine.listing, abandon_on_cancel=True)
        if missing := [name for name in VERBS if name not in listed]:
            raise ContainerMissing(self._project, missing)
        return {
            name: ContainerListed(listed[name].state == RUNNING, listed[name].image)
            for name in VERBS
        }

    async def state(self, name: str) -> ContainerState:
        _check(CONTAINER, name, VERBS)
        return await anyio.to_thread.run_sync(self._state, name, abandon_on_cancel=True)

    async def carry_out(self, name: str, verb: str, body: bytes) -> ContainerState:
        """Answers the state after it. Raises UnknownName, ValidationError, EngineFailed."""
        _check(CONTAINER, name, VERBS)
        _check(VERB, verb, VERBS[name])
        order = ORDERS[BrokerVerb(verb)].model_validate_json(body or b"{}")
        async with self._locks[name]:
            began_s = time.monotonic()
            state = await anyio.to_thread.run_sync(
                self._carry_out, name, BrokerVerb(verb), order, abandon_on_cancel=True
            )
        duration_ms = (time.monotonic() - began_s) * 1000
        log.info("carried out container=%s verb=%s duration_ms=%.0f", name, verb, duration_ms)
        return state

    def _carry_out(self, name: str, verb: BrokerVerb, order: Order) -> ContainerState:
        if verb is BrokerVerb.REPAIR:
            repaired = repair(self._engine, name)
            for problem in repaired:
                log.warning("repaired %s: %s", name, problem)
            return replace(self._state(name), repaired=tuple(repaired))
        engine, container = self._engine, self._engine.inspect(name)
        on_mesh = Network.MESH in container.addresses
        if verb is BrokerVerb.RESTART or (verb is BrokerVerb.START and not container.running):
            if name in SERVICE_OF:
                engine.give_cpu(container, STARTING_CPU_CORES)
            (engine.restart if verb is BrokerVerb.RESTART else engine.start)(container)
        elif isinstance(order, Stop) and container.running:
            engine.stop(container, order.grace_s)
        elif isinstance(order, Limit):
            limit_cores = LIMITS[SERVICE_OF[name]].cpu_limit_cores
            engine.give_cpu(container, order.cpu_share * limit_cores)
        elif verb is BrokerVerb.CONNECT and not on_mesh:
            aliases = [network_alias(each, Network.MESH) for each in (name, SERVICE_OF[name])]
            engine.connect(container, Network.MESH, aliases)
        elif verb is BrokerVerb.DISCONNECT and on_mesh:
            engine.disconnect(container)
        return self._state(name)

    def _state(self, name: str) -> ContainerState:
        container = self._engine.inspect(name)
        limit_cores = LIMITS[SERVICE_OF[name]].cpu_limit_cores if name in SERVICE_OF else None
        return ContainerState(
            name=name,
            running=container.running,
            exit_code=container.exit_code,
            oom_killed=container.oom_killed,
            started_at=container.started_at,
            on_mesh=Network.MESH in container.addresses,
            mesh_address=container.mesh_address,
            control_address=container.addresses.get(Network.TELEMETRY),
            cpu_share=container.cpu_cores / limit_cores if limit_cores else 1.0,
        )


def _check(field: str, value: str, valid: Mapping[str, Any] | Sequence[str]) -> None:
    if value not in valid:
        raise UnknownName(field, value, valid)
