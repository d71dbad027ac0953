"""The impairments of this process, as desired state with an end.

They end by themselves when their time is up; only leaked memory stays leaked.
"""

import asyncio
from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from services.runtime.governor import Governor
from services.runtime.held_connections import HeldConnections
from services.runtime.link import Link
from sre_autopilot.world.impairment_digest import NOTHING_IMPAIRED, impairment_digest
from sre_autopilot.world.topology import DATABASES

APPLY_TIMEOUT_S = 0.45
LEAK_CHUNK_BYTES = 1 << 20

Share = Annotated[float, Field(ge=0.0, le=1.0)]
DatabaseReplica = Annotated[str, Field(pattern=rf"^({'|'.join(DATABASES)})-[0-9]$")]


class Impairments(BaseModel):
    """The body of PUT /impairments; a field that is left out is not impaired."""

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
    """Memory that is never freed; grows once a step, however often a step is applied."""

    def __init__(self) -> None:
        self._leaked: list[bytearray] = []
        self._step: int | None = None
        self._step_mb = 0.0

    def grow(self, step: int, growth_mb: float) -> float:
        """Leaks `growth_mb` MiB unless this step has leaked already; returns this step's leak."""
        if growth_mb > 0.0 and step != self._step:
            self._step, self._step_mb = step, growth_mb
            missing = int(growth_mb * (1 << 20))
            while missing > 0:
                # Written to: pages that are never touched use no memory.
                self._leaked.append(bytearray(b"\xa5") * min(missing, LEAK_CHUNK_BYTES))
                missing -= LEAK_CHUNK_BYTES
        return self._step_mb if growth_mb > 0.0 else 0.0


class ImpairmentControl:
    """Applies impairments; belongs to the control loop and schedules work in the data loop.

    `digest` stands for the last ones ordered, until they end.
    """

    def __init__(
        self,
        link: Link,
        governor: Governor,
        held: HeldConnections,
        data_loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._link = link
        self._governor = governor
        self._held = held
        self._data_loop = data_loop
        self._leak = Leak()
        self._lock = asyncio.Lock()
        self._expiry: asyncio.Task[None] | None = None
        self.digest = NOTHING_IMPAIRED

    async def apply(self, impairments: Impairments) -> Impairments:
        """Applies `impairments` for their `ttl_s` from now; returns those in force now."""
        async with self._lock:
            if self._expiry is not None:
                self._expiry.cancel()
            self._expiry = asyncio.create_task(self._heal_after(impairments))
            return await self._impair(impairments)

    async def _heal_after(self, impairments: Impairments) -> None:
        await asyncio.sleep(impairments.ttl_s)
        async with self._lock:
            await self._impair(Impairments(step=impairments.step, ttl_s=impairments.ttl_s))

    async def _impair(self, desired: Impairments) -> Impairments:
        self._link.partitioned = desired.partitioned
        self._link.drop_ratio = desired.drop_ratio
        self._governor.set(desired.cpu_fraction, desired.neighbour_cpu_pct)
        leaked_mb = self._leak.grow(desired.step, desired.memory_leak_mb)
        await self._hold_connections(desired.held_connections)
        self.digest = impairment_digest(desired)
        return desired.model_copy(
            update={
                "memory_leak_mb": leaked_mb,
                "held_connections": self._held.open(desired.held_connections),
                "neighbour_cpu_pct": self._governor.neighbour_cpu_pct,
            }
        )

    async def _hold_connections(self, desired: Mapping[str, int]) -> None:
        """Waits APPLY_TIMEOUT_S at most: a stalled data loop converges when it runs again."""
        if not desired and self._held.idle:
            return
        converging = asyncio.run_coroutine_threadsafe(self._held.converge(desired), self._data_loop)
        done, _ = await asyncio.wait({asyncio.wrap_future(converging)}, timeout=APPLY_TIMEOUT_S)
        for future in done:
            future.result()
