"""The replicas of a live mesh: a handle for each run of one, and the set of all. Starts none.

A handle stands for one process or container from its start to its end; the next start of the
same replica gets a handle of its own, so that nothing of the old run is taken for the new one's.
"""

import asyncio
import contextlib
import signal
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Coroutine, Iterable, Mapping, Sequence
from typing import TypeVar

from orchestrator.backends.live.control_client import Target
from orchestrator.errors import MeshNotReady, ReplicaUnreachable
from services.runtime.spec import UNUSED_SEED
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.topology import USERS
from sre_autopilot.world.vocabulary import Release

T = TypeVar("T")

KILLED_EXIT_CODE = 128 + signal.SIGKILL
"""Reported where a run has ended and the code of its end is not known."""
EXIT_REPORT_TIMEOUT_S = 0.5
"""How long after a broken connection the exit of the process behind it may still be reported."""


class ReplicaHandle:
    """One run of a replica or of the users.

    `target` is set once it serves, `exit_code` once it has exited; neither is ever unset.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.target: Target | None = None
        self.exit_code: int | None = None
        self._settled = asyncio.Event()
        self._exited = asyncio.Event()

    def __str__(self) -> str:
        return self.name if self.exit_code is None else f"{self.name}: exit code {self.exit_code}"

    @property
    def serving(self) -> Target | None:
        """Where it serves; None before it does and after it has exited."""
        return self.target if self.exit_code is None else None

    async def wait_settled(self) -> None:
        """Waits until it serves or has exited."""
        await self._settled.wait()

    async def wait_exited(self, timeout_s: float) -> bool:
        """Whether it exits within `timeout_s`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._exited.wait()
        return self.exit_code is not None

    def mark_serving(self, target: Target) -> None:
        self.target = target
        self._settled.set()

    def mark_exited(self, exit_code: int) -> None:
        self.exit_code = exit_code
        self._settled.set()
        self._exited.set()


class ReplicaSet(ABC):
    """The replicas that were started and not stopped, and the users.

    A lifecycle extends it: it starts and stops, this class keeps the handles and waits for them.
    """

    def __init__(self, ready_timeout_s: float) -> None:
        self._ready_timeout_s = ready_timeout_s
        self._replicas: dict[ReplicaId, ReplicaHandle] = {}
        self._releases: dict[ReplicaId, Release] = {}
        self._stopping: dict[ReplicaId, asyncio.Task[None]] = {}
        self._users: ReplicaHandle | None = None
        self._seed = UNUSED_SEED

    @abstractmethod
    async def start(self, replica: ReplicaId, release: Release) -> None: ...

    @abstractmethod
    async def refresh(self) -> None:
        """Brings the handles up to date where exits are not reported by themselves."""

    @abstractmethod
    def _not_ready(self, handles: Iterable[ReplicaHandle]) -> MeshNotReady:
        """The error that names those that do not serve, and where to read why."""

    async def restart(self, replica: ReplicaId) -> None:
        await self.start(replica, self._releases[replica])

    async def ready(self, replicas: frozenset[ReplicaId]) -> None:
        if stopped := sorted(str(replica) for replica in replicas - self._replicas.keys()):
            raise MeshNotReady(f"{', '.join(stopped)} (stopped)", self._ready_timeout_s)
        await self._wait_settled([self._replicas[replica] for replica in replicas])

    def dead(self) -> Mapping[ReplicaId, int]:
        return {
            replica: handle.exit_code
            for replica, handle in self._replicas.items()
            if handle.exit_code is not None
        }

    async def serving(self, replica: ReplicaId) -> ReplicaHandle | None:
        """Waits until a replica serves; None for one that has exited or is stopped.

        Raises MeshNotReady.
        """
        handle = self._replicas.get(replica)
        if handle is None:
            return None
        await self._wait_settled([handle])
        return handle if handle.serving else None

    def handles(self, name: str | None = None) -> list[ReplicaHandle]:
        """Of one service, or of the users, or all: serving, starting or exited."""
        named = [(replica.service, handle) for replica, handle in self._replicas.items()]
        users = [(USERS, self._users)] if self._users else []
        return [handle for own, handle in (*named, *users) if name in (None, own)]

    def _stop_in_background(self, replica: ReplicaId, stop: Coroutine[None, None, None]) -> None:
        """Stops a replica while the window passes; `_stopped` waits for it."""
        self._stopping[replica] = asyncio.create_task(stop)

    async def _stopped(self, replica: ReplicaId) -> None:
        """Waits for an earlier stop of `replica`. Raises what that raised."""
        if stopping := self._stopping.pop(replica, None):
            await stopping

    async def _all_serve(self) -> None:
        """Waits until all do. Raises MeshNotReady."""
        await self._wait_settled(self.handles())
        if any(handle.serving is None for handle in self.handles()):
            raise self._not_ready(self.handles())

    async def _wait_settled(self, handles: Sequence[ReplicaHandle]) -> None:
        """Waits until each serves or has exited. Raises MeshNotReady."""
        try:
            async with asyncio.timeout(self._ready_timeout_s):
                for handle in handles:
                    await handle.wait_settled()
        except TimeoutError:
            raise self._not_ready(handles) from None


async def unless_exited(handle: ReplicaHandle, answer: Awaitable[T]) -> T | None:
    """The answer of a process, or None where it exited instead. Raises ReplicaUnreachable."""
    try:
        return await answer
    except ReplicaUnreachable:
        # A killed process breaks its connections a moment before its exit is reported.
        if await handle.wait_exited(EXIT_REPORT_TIMEOUT_S):
            return None
        raise
