"""Keeps impairments in force as desired state, and renews them before their TTL runs out.

Runs as long as its session: an agent that thinks for a minute meets the fault it left, and when
the controller is gone, every impairment ends by itself.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from chaos.fault import NO_IMPAIRMENTS, Impairments
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.vocabulary import IMPAIRMENT_TTL_S


class TargetUnreachable(Exception):
    """A target that runs gave no usable answer."""


class FaultSurface(Protocol):
    """Where impairments are applied."""

    async def apply(
        self, target: ReplicaId, impairments: Impairments, step: int, ttl_s: float
    ) -> Impairments | None:
        """Applies `impairments` to `target` for `ttl_s`; NO_IMPAIRMENTS heals.

        Idempotent: applying twice at one step leaks once. Returns the impairments in force now,
        or None where the target is dead. Raises TargetUnreachable.
        """
        ...


class Controller:
    """Applies desired impairments to a surface and renews them in the background."""

    def __init__(self, surface: FaultSurface, ttl_s: float = IMPAIRMENT_TTL_S) -> None:
        self._surface = surface
        self._ttl_s = ttl_s
        self._desired: dict[ReplicaId, Impairments] = {}
        self._step = 0
        self._lock = asyncio.Lock()
        self._renewal: asyncio.Task[None] | None = None

    async def apply(
        self, desired: Mapping[ReplicaId, Impairments], step: int
    ) -> Mapping[ReplicaId, Impairments | None]:
        """Applies exactly `desired` from now on; returns what is in force in each target."""
        async with self._lock:
            healed = {target: NO_IMPAIRMENTS for target in self._desired if target not in desired}
            self._desired = {t: i for t, i in desired.items() if i != NO_IMPAIRMENTS}
            self._step = step
            self._renewal = self._renewal or asyncio.create_task(self._renew())
            return await self._apply({**healed, **desired})

    async def aclose(self) -> None:
        """Stops renewing and heals what is impaired."""
        await self.stop()
        healed = dict.fromkeys(self._desired, NO_IMPAIRMENTS)
        self._desired = {}
        await self._apply(healed)

    async def stop(self) -> None:
        """Stops renewing: what is impaired heals by itself when its time is up."""
        if self._renewal is not None:
            self._renewal.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._renewal
            self._renewal = None

    async def _apply(
        self, impairments: Mapping[ReplicaId, Impairments]
    ) -> dict[ReplicaId, Impairments | None]:
        applied = await asyncio.gather(
            *(self._surface.apply(t, i, self._step, self._ttl_s) for t, i in impairments.items())
        )
        return dict(zip(impairments, applied, strict=True))

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._ttl_s / 3)
            async with self._lock:
                # Without the leak of this step: a target started since must not leak it again.
                renewed = {t: replace(i, memory_leak_mb=0.0) for t, i in self._desired.items()}
                # The next renewal tries again, and the next step's `apply` raises it to the caller.
                with contextlib.suppress(TargetUnreachable):
                    await self._apply(renewed)
