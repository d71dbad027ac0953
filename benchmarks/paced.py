"""The simulator at the pace of a real mesh: its windows are slept through."""

import asyncio
from collections.abc import Collection
from typing import Self

from orchestrator.settings import Settings
from orchestrator.telemetry.window import Window
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.world.topology import Service

WINDOW_S = 0.5


class PacedSimulator(SimulatorBackend):
    """An episode costs nearly no CPU and takes its time, as one that waits for others does."""

    name = "paced"

    @classmethod
    def of(cls, settings: Settings) -> Self:
        backend = super().of(settings)
        backend.step_seconds = settings.step_seconds or WINDOW_S
        return backend

    async def observe(self, step: int, open_breakers: Collection[Service] = ()) -> Window:
        await asyncio.sleep(self.step_seconds)
        return await super().observe(step, open_breakers)
