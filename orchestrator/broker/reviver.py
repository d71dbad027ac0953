"""Brings back what was killed: the stack's parts at once, replicas when nobody else did.

The engine's restart policy does not bring back what `docker kill` ended. Leaves alone what was
asked to stop, what ended by itself, and standbys: only the orchestrator knows whether they serve.
The broker runs twice, so that each brings back the other.
"""

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import anyio

from orchestrator.broker.docker_engine import EXITED, Container, EngineFailed
from sre_autopilot.world.stack import REPLICAS, Part
from sre_autopilot.world.topology import LIMITS, Service

LOOK_EVERY_S = 1.0
PART_GRACE_S = 0.0
REPLICA_GRACE_S = 15.0
"""Within an episode the orchestrator brings a dead replica back much sooner, in its own step."""
STEADY_S = 10.0
"""What lives this long after a revival did not die at once."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0

KILLED = 128 + signal.SIGKILL

SERVICES: Mapping[str, Service] = MappingProxyType({str(r): r.service for r in REPLICAS})
GRACE_S: Mapping[str, float] = MappingProxyType(
    {
        **dict.fromkeys(map(str, Part), PART_GRACE_S),
        **{str(replica): REPLICA_GRACE_S for replica in REPLICAS if replica.index == 0},
        Part.TRAFFIC: REPLICA_GRACE_S,
    }
)
"""How long each that is brought back stays dead at least."""

log = logging.getLogger(__name__)


class Ward(Protocol):
    """What the keeper needs of an engine."""

    def listed(self) -> Mapping[str, str]: ...
    def inspect(self, name: str) -> Container: ...
    def start(self, container: Container) -> None: ...
    def give_cpu(self, container: Container, cores: float) -> None: ...
    def was_stopped(self, container: Container) -> bool: ...


@dataclass(slots=True)
class Death:
    """One end of one container, told by its id and time.

    Whether it was stopped is asked at the second look: the engine writes that down a moment later.
    """

    of: tuple[str, str]
    due_at_s: float
    stopped: bool | None = None


class Keeper:
    """Looks after one stack. `revived` is told each name that was brought back."""

    def __init__(
        self,
        engine: Ward,
        revived: Callable[[str], object],
        clock: Callable[[], float] = time.monotonic,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._engine = engine
        self._revived = revived
        self._clock = clock
        self._look_every_s = look_every_s
        self._deaths: dict[str, Death] = {}
        self._revived_at_s: dict[str, float] = {}
        self._pause_s: dict[str, float] = {}

    async def run(self) -> None:
        """Looks again and again, until it is cancelled."""
        while True:
            try:
                await anyio.to_thread.run_sync(self.look, abandon_on_cancel=True)
            except Exception:  # a keeper that ends would bring nothing back, and nobody would know
                log.exception("cannot look after the stack")
            await asyncio.sleep(self._look_every_s)

    def look(self) -> None:
        """Looks once at all containers and brings back what is due. Blocks."""
        try:
            listed = self._engine.listed()
        except EngineFailed as error:
            log.warning("cannot look after the stack: %s", error)
            return
        for name in GRACE_S:
            if listed.get(name) == EXITED:
                try:
                    self._attend(name)
                except EngineFailed as error:
                    log.warning("cannot bring back %s: %s", name, error)

    def _attend(self, name: str) -> None:
        container, now_s = self._engine.inspect(name), self._clock()
        death, end = self._deaths.get(name), (container.id, container.finished_at)
        if death is None or death.of != end:
            if container.exit_code == KILLED:
                self._deaths[name] = Death(end, now_s + self._wait_s(name, now_s))
            return
        if death.stopped is None:
            death.stopped = self._engine.was_stopped(container)
        if not death.stopped and now_s >= death.due_at_s:
            # For the case that it fails; the pause ends when it has lived for a while.
            death.due_at_s = now_s + self._longer_pause_s(name)
            self._revive(name, container)

    def _wait_s(self, name: str, now_s: float) -> float:
        """How long a death that is new is left alone."""
        if now_s - self._revived_at_s.get(name, -STEADY_S) >= STEADY_S:
            self._pause_s.pop(name, None)
        return max(GRACE_S[name], self._pause_s.get(name, 0.0))

    def _longer_pause_s(self, name: str) -> float:
        doubled = 2 * self._pause_s.get(name, FIRST_PAUSE_S / 2)
        self._pause_s[name] = min(doubled, LONGEST_PAUSE_S)
        return self._pause_s[name]

    def _revive(self, name: str, container: Container) -> None:
        if name in SERVICES:
            # It may have died while it stood still, and would never come up.
            self._engine.give_cpu(container, LIMITS[SERVICES[name]].cpu_limit_cores)
        self._engine.start(container)
        self._revived_at_s[name] = self._clock()
        self._revived(name)
        log.info("brought back %s", name)
