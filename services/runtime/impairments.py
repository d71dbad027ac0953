"""What is wrong inside this process, as desired state with an end.

Heals by itself when its time is up; only memory that leaked stays leaked.
"""

import asyncio
from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from services.runtime.governor import Governor
from services.runtime.holds import Holds
from services.runtime.link import Link
from sre_autopilot.world.topology import DATABASES

APPLY_TIMEOUT_S = 0.45
LEAK_CHUNK_BYTES = 1 << 20

Share = Annotated[float, Field(ge=0.0, le=1.0)]
DatabaseReplica = Annotated[str, Field(pattern=rf"^({'|'.join(DATABASES)})-[0-9]$")]


class Impairments(BaseModel):
    """The wire shape of PUT /impairments; what is missing is not impaired."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    step: int = Field(ge=0)
    ttl_s: float = Field(gt=0.0)
    memory_leak_mb: float = Field(default=0.0, ge=0.0)
    held_connections: dict[DatabaseReplica, Annotated[int, Field(ge=0)]] = {}
    partitioned: Share = 0.0
    drop_ratio: Share = 0.0
    cpu_fraction: float = Field(default=1.0, gt=0.0, le=1.0)
    neighbour_cpu_pct: float = Field(default=0.0, ge=0.0)


class Leak:
    """Memory that is lost for good, once a step however often it is asked for."""

    def __init__(self) -> None:
        self._lost: list[bytearray] = []
        self._step: int | None = None
        self._step_mb = 0.0

    def lose(self, step: int, wanted_mb: float) -> float:
        """Loses `wanted_mb` MiB unless this step has lost some; what this step lost."""
        if wanted_mb > 0.0 and step != self._step:
            self._step, self._step_mb = step, wanted_mb
            left = int(wanted_mb * (1 << 20))
            while left > 0:
                # Written to, for untouched pages cost nothing.
                self._lost.append(bytearray(b"\xa5") * min(left, LEAK_CHUNK_BYTES))
                left -= LEAK_CHUNK_BYTES
        return self._step_mb if wanted_mb > 0.0 else 0.0


class Impaired:
    """Makes impairments hold; the control loop owns it and reaches into the data loop."""

    def __init__(
        self, link: Link, governor: Governor, holds: Holds, data_loop: asyncio.AbstractEventLoop
    ) -> None:
        self._link = link
        self._governor = governor
        self._holds = holds
        self._data_loop = data_loop
        self._leak = Leak()
        self._lock = asyncio.Lock()
        self._expiry: asyncio.Task[None] | None = None

    async def apply(self, wanted: Impairments) -> Impairments:
        """Makes `wanted` hold for its `ttl_s` from now; returns what really holds."""
        async with self._lock:
            if self._expiry is not None:
                self._expiry.cancel()
            self._expiry = asyncio.create_task(self._heal_after(wanted))
            return await self._impair(wanted)

    async def _heal_after(self, impairments: Impairments) -> None:
        await asyncio.sleep(impairments.ttl_s)
        async with self._lock:
            await self._impair(Impairments(step=impairments.step, ttl_s=impairments.ttl_s))

    async def _impair(self, wanted: Impairments) -> Impairments:
        self._link.partitioned = wanted.partitioned
        self._link.drop_ratio = wanted.drop_ratio
        self._governor.set(wanted.cpu_fraction, wanted.neighbour_cpu_pct)
        leaked_mb = self._leak.lose(wanted.step, wanted.memory_leak_mb)
        await self._hold(wanted.held_connections)
        return wanted.model_copy(
            update={
                "memory_leak_mb": leaked_mb,
                "held_connections": self._holds.open(wanted.held_connections),
                "neighbour_cpu_pct": self._governor.neighbour_cpu_pct,
            }
        )

    async def _hold(self, wanted: Mapping[str, int]) -> None:
        """Bounded, for the data loop may be stalled; it converges when it runs again."""
        if not wanted and self._holds.idle:
            return
        holding = asyncio.run_coroutine_threadsafe(self._holds.hold(wanted), self._data_loop)
        done, _ = await asyncio.wait({asyncio.wrap_future(holding)}, timeout=APPLY_TIMEOUT_S)
        for held in done:
            held.result()
