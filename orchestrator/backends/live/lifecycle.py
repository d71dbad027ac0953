"""What every lifecycle over lives does alike: keeps count of them, and waits for them."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence

from orchestrator.backends.live.replicas import Life
from orchestrator.errors import MeshNotReady
from services.runtime.spec import UNUSED_SEED
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.topology import USERS
from sre_autopilot.world.vocabulary import Release


class LivesKept(ABC):
    """The replicas that were started and not stopped, and the users."""

    def __init__(self, ready_timeout_s: float) -> None:
        self._ready_timeout_s = ready_timeout_s
        self._replicas: dict[ReplicaId, Life] = {}
        self._releases: dict[ReplicaId, Release] = {}
        self._leaving: dict[ReplicaId, asyncio.Task[None]] = {}
        self._users: Life | None = None
        self._seed = UNUSED_SEED

    @abstractmethod
    async def start(self, replica: ReplicaId, release: Release) -> None: ...

    @abstractmethod
    def _not_ready(self, lives: Iterable[Life]) -> MeshNotReady:
        """Names those that do not serve, and where to look."""

    async def restart(self, replica: ReplicaId) -> None:
        await self.start(replica, self._releases[replica])

    async def ready(self, replicas: frozenset[ReplicaId]) -> None:
        if stopped := sorted(str(replica) for replica in replicas - self._replicas.keys()):
            raise MeshNotReady(f"{', '.join(stopped)} (stopped)", self._ready_timeout_s)
        await self._settled([self._replicas[replica] for replica in replicas])

    def dead(self) -> Mapping[ReplicaId, int]:
        return {
            replica: life.exit_code
            for replica, life in self._replicas.items()
            if life.exit_code is not None
        }

    async def serving(self, replica: ReplicaId) -> Life | None:
        """The life of a replica, as soon as it serves; None for one that is dead or stopped."""
        life = self._replicas.get(replica)
        if life is None:
            return None
        await self._settled([life])
        return life if life.serving else None

    def lives(self, of: str | None = None) -> list[Life]:
        """Of one service, or of the users, or all: serving, starting or dead."""
        named = [(replica.service, life) for replica, life in self._replicas.items()]
        users = [(USERS, self._users)] if self._users else []
        return [life for name, life in (*named, *users) if of in (None, name)]

    async def _all_serve(self) -> None:
        """Waits until all do. Raises MeshNotReady."""
        await self._settled(self.lives())
        if any(life.serving is None for life in self.lives()):
            raise self._not_ready(self.lives())

    async def _settled(self, lives: Sequence[Life]) -> None:
        """Waits until each serves or has ended. Raises MeshNotReady."""
        try:
            async with asyncio.timeout(self._ready_timeout_s):
                for life in lives:
                    await life.settled()
        except TimeoutError:
            raise self._not_ready(lives) from None
