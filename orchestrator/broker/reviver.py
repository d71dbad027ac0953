"""Restarts killed containers: the stack's parts at once, replicas when the orchestrator does not.

The engine's restart policy ignores what `docker kill` ended. Never restarts a container that was
stopped on request, one that exited by itself, or a standby: only the orchestrator knows whether
that should run. Two brokers run, so that each restarts the other.
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

CHECK_EVERY_S = 1.0
PART_GRACE_S = 0.0
REPLICA_GRACE_S = 15.0
"""Within an episode the orchestrator restarts a dead replica sooner, when its window ends."""
STEADY_S = 10.0
"""A container that runs this long after a restart starts again with the shortest pause."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0

KILLED = 128 + signal.SIGKILL

SERVICE_OF: Mapping[str, Service] = MappingProxyType({str(r): r.service for r in REPLICAS})
GRACE_S: Mapping[str, float] = MappingProxyType(
    {
        **dict.fromkeys(map(str, Part), PART_GRACE_S),
        **{str(replica): REPLICA_GRACE_S for replica in REPLICAS if replica.index == 0},
        Part.TRAFFIC: REPLICA_GRACE_S,
    }
)
"""Seconds that each container stays down before it is restarted here."""

log = logging.getLogger(__name__)


class EngineAdmin(Protocol):
    """The calls to the engine that the restart controller makes; each blocks."""

    def listed(self) -> Mapping[str, str]: ...
    def inspect(self, name: str) -> Container: ...
    def start(self, container: Container) -> None: ...
    def give_cpu(self, container: Container, cores: float) -> None: ...
    def was_stopped(self, container: Container) -> bool: ...


@dataclass(slots=True)
class ContainerExit:
    """One exit of one container.

    key: the container's id and the time of the exit, which together identify it.
    due_at_s: when to restart it, on the controller's clock.
    stopped: whether it was stopped on request. None until the second check: the engine records
        the stop a moment after the exit.
    """

    key: tuple[str, str]
    due_at_s: float
    stopped: bool | None = None


class RestartController:
    """Watches one stack. Calls `revived` with the name of each container that it restarted."""

    def __init__(
        self,
        engine: EngineAdmin,
        revived: Callable[[str], object],
        clock: Callable[[], float] = time.monotonic,
        check_every_s: float = CHECK_EVERY_S,
    ) -> None:
        self._engine = engine
        self._revived = revived
        self._clock = clock
        self._check_every_s = check_every_s
        self._exits: dict[str, ContainerExit] = {}
        self._revived_at_s: dict[str, float] = {}
        self._pause_s: dict[str, float] = {}

    async def run(self) -> None:
        """Checks periodically until it is cancelled."""
        while True:
            try:
                await anyio.to_thread.run_sync(self.check_all, abandon_on_cancel=True)
            except Exception:  # else one bug would end all restarts silently
                log.exception("cannot check the stack")
            await asyncio.sleep(self._check_every_s)

    def check_all(self) -> None:
        """Checks all containers once and restarts those that are due. Blocks."""
        try:
            listed = self._engine.listed()
        except EngineFailed as error:
            log.warning("cannot check the stack: %s", error)
            return
        for name in GRACE_S:
            if listed.get(name) == EXITED:
                try:
                    self._check(name)
                except EngineFailed as error:
                    log.warning("cannot restart %s: %s", name, error)

    def _check(self, name: str) -> None:
        container, now_s = self._engine.inspect(name), self._clock()
        last, key = self._exits.get(name), (container.id, container.finished_at)
        if last is None or last.key != key:
            if container.exit_code == KILLED:
                self._exits[name] = ContainerExit(key, now_s + self._pause_before_s(name, now_s))
            return
        if last.stopped is None:
            last.stopped = self._engine.was_stopped(container)
        if not last.stopped and now_s >= last.due_at_s:
            # Doubled first, in case this restart fails; reset once the container runs for STEADY_S.
            last.due_at_s = now_s + self._longer_pause_s(name)
            self._revive(name, container)

    def _pause_before_s(self, name: str, now_s: float) -> float:
        """Seconds to wait after a new exit."""
        if now_s - self._revived_at_s.get(name, -STEADY_S) >= STEADY_S:
            self._pause_s.pop(name, None)
        return max(GRACE_S[name], self._pause_s.get(name, 0.0))

    def _longer_pause_s(self, name: str) -> float:
        doubled = 2 * self._pause_s.get(name, FIRST_PAUSE_S / 2)
        self._pause_s[name] = min(doubled, LONGEST_PAUSE_S)
        return self._pause_s[name]

    def _revive(self, name: str, container: Container) -> None:
        if name in SERVICE_OF:
            # It may have been killed while starved of CPU, and would take minutes to start.
            self._engine.give_cpu(container, LIMITS[SERVICE_OF[name]].cpu_limit_cores)
        self._engine.start(container)
        self._revived_at_s[name] = self._clock()
        self._revived(name)
        log.info("restarted %s", name)
