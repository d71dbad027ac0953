"""One life of a replica, from its start to its end, and all lives of a mesh. Ends none of them."""

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import Protocol, TypeVar

from orchestrator.backends.live.control_client import Target
from orchestrator.errors import ReplicaUnreachable
from sre_autopilot.world.deployment import ReplicaId

T = TypeVar("T")

_OBITUARY_S = 0.5
"""How long a connection may be found broken before its process is reported dead."""


class Life:
    """One life of one name. `target` stands once it serves, `exit_code` once it is gone."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.target: Target | None = None
        self.exit_code: int | None = None
        self._settled = asyncio.Event()
        self._gone = asyncio.Event()

    def __str__(self) -> str:
        return self.name if self.exit_code is None else f"{self.name}: exit code {self.exit_code}"

    @property
    def serving(self) -> Target | None:
        """Where it serves, while it does."""
        return self.target if self.exit_code is None else None

    async def settled(self) -> None:
        """Waits until it serves or has ended."""
        await self._settled.wait()

    async def gone(self, timeout_s: float) -> bool:
        """Waits for its end; False where it outlives the time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._gone.wait()
        return self.exit_code is not None

    def serves(self, target: Target) -> None:
        self.target = target
        self._settled.set()

    def ended(self, exit_code: int) -> None:
        self.exit_code = exit_code
        self._settled.set()
        self._gone.set()


class Lives(Protocol):
    """Who lives in a mesh, the users included."""

    def lives(self, of: str | None = None) -> list[Life]:
        """Of one service, or of the users, or all: serving, starting or dead."""
        ...

    async def serving(self, replica: ReplicaId) -> Life | None:
        """The life of a replica, as soon as it serves; None for one that is dead or stopped."""
        ...

    async def look(self) -> None:
        """Finds out who has died, where that is not reported by itself."""
        ...


async def unless_dead(life: Life, answer: Awaitable[T]) -> T | None:
    """The answer of a process, or None where it died instead. Raises ReplicaUnreachable."""
    try:
        return await answer
    except ReplicaUnreachable:
        if await life.gone(_OBITUARY_S):
            return None
        raise
