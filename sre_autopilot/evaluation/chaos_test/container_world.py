"""A world of containers to kill: a whole stack of its own, played through its server.

It is up when the test begins and gone when it ends; no other stack is looked at or killed.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from deploy import inspected
from deploy.inspected import Containers, runs
from deploy.local_stack import Stack, build, docker, stack
from orchestrator.errors import StackUnavailable
from sre_autopilot.evaluation.chaos_test import world
from sre_autopilot.evaluation.chaos_test.session import Session
from sre_autopilot.evaluation.chaos_test.world import Victims, WorldFailed
from sre_autopilot.world.stack import REPLICAS, Part

KINDS = (
    *(3 * (world.ONE_REPLICA,)),
    world.SEVERAL_REPLICAS,
    Part.TRAFFIC,
    Part.CHAOS,
    Part.BROKER,
    Part.BROKER_STANDBY,
    *(2 * (Part.ORCHESTRATOR,)),
    world.EVERYTHING,
)
START_TIMEOUT_S = 120.0
POLL_S = 0.1
NO_RECORD = "in the container"
BROKERS = frozenset({Part.BROKER, Part.BROKER_STANDBY})


class Engine(Protocol):
    """The containers of one stack, and no others."""

    def containers(self) -> Containers: ...

    def kill(self, ids: Sequence[str]) -> None: ...

    def server_url(self) -> str:
        """Raises StackUnavailable while the server does not run."""


class StackEngine:
    """The engine that `docker` talks to, for one stack."""

    def __init__(self, up: Stack) -> None:
        self._up = up

    def containers(self) -> Containers:
        return self._up.containers()

    def kill(self, ids: Sequence[str]) -> None:
        with suppress(StackUnavailable):  # one of them has just ended by itself
            docker("kill", "--signal=KILL", *ids)

    def server_url(self) -> str:
        return self._up.url(Part.ORCHESTRATOR)


class ContainerWorld:
    """Made by `container_world`, which ends it.

    A broker always stays: the two start each other and all the rest again, so that both at once
    need an operator.
    """

    kinds: Sequence[str] = KINDS
    patience_s = 30.0

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.url = ""

    async def start(self) -> None:
        """Starts nothing: waits until the stack has brought its server back."""
        end_s = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < end_s:
            with suppress(StackUnavailable):
                self.url = self._engine.server_url()
                async with Session(self.url) as session:
                    if await session.is_healthy():
                        return
            await asyncio.sleep(POLL_S)
        raise WorldFailed(f"the server did not answer within {START_TIMEOUT_S:g} s")

    def victims(self, kind: str, draw: int) -> Victims:
        running = {name: raw for name, raw in self._engine.containers().items() if runs(raw)}
        names = _chosen(kind, running, random.Random(draw))
        ids = tuple(running[name]["Id"] for name in names)
        started = {name: running[name]["State"]["StartedAt"] for name in names}
        return Victims(names, ids, started, Part.ORCHESTRATOR in names)

    def kill(self, victims: Victims) -> None:
        if victims.handles:
            self._engine.kill(victims.handles)

    def residues(self, victims: Victims, *, renewed: bool = False) -> list[str]:
        """Victims that run on; and without the server, replicas that are impaired still."""
        containers = self._engine.containers()
        started: Mapping[str, str] = victims.doomed or {}
        left = [
            f"{name} was not killed"
            for name, at in started.items()
            if runs(containers[name]) and containers[name]["State"]["StartedAt"] == at
        ]
        return left + (inspected.impaired(containers) if victims.ends_server else [])

    def unwell(self) -> list[str]:
        return inspected.unwell(self._engine.containers())

    def record(self, episode_id: str) -> tuple[str, str | None]:
        return NO_RECORD, None


def _chosen(kind: str, running: Containers, draws: random.Random) -> tuple[str, ...]:
    """The names of the containers of a kind, in the order in which they are killed."""
    names = sorted(running)
    replicas = [name for name in names if name in map(str, REPLICAS)]
    match kind:
        case world.ONE_REPLICA | world.SEVERAL_REPLICAS:
            chosen = world.drawn_replicas(kind, replicas, draws)
        case world.EVERYTHING:
            spared = draws.choice(sorted(BROKERS))
            others = [name for name in names if name != spared]
            chosen = draws.sample(others, len(others))
        case _:
            chosen = [kind] if kind in running else []
    return tuple(chosen)


@asynccontextmanager
async def container_world() -> AsyncIterator[ContainerWorld]:
    """A fresh stack from images of this checkout. Raises StackUnavailable, WorldFailed."""
    build()
    with stack(with_server=True) as up:
        fresh = ContainerWorld(StackEngine(up))
        await fresh.start()
        yield fresh
    left = {what: up.count(what) for what in ("container", "network")}
    if any(left.values()):
        raise WorldFailed(f"left of the stack {up.project}: {left}")
