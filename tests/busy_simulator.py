"""A simulated mesh on a machine that is too busy, and one in which an impairment lapses."""

from collections.abc import Collection
from dataclasses import replace
from typing import Self

from orchestrator.settings import Settings
from orchestrator.telemetry.window import Window
from sre_autopilot.grading import HostFigures
from sre_autopilot.world.topology import Service
from tests.watched_simulator import WatchedSimulator

BUSY = HostFigures(window_ms=500.0, run_queue_wait_ms={"users": 499.0})


class BusySimulator(WatchedSimulator):
    """Every window is contended."""

    name = "tests.busy_simulator:BusySimulator"

    @classmethod
    def of(cls, _settings: Settings) -> Self:
        return cls()

    async def observe(self, step: int, open_breakers: Collection[Service] = ()) -> Window:
        return replace(await super().observe(step, open_breakers), host=BUSY)


class LapsingSimulator(WatchedSimulator):
    """The users' process lapses in the window of step 1."""

    async def observe(self, step: int, open_breakers: Collection[Service] = ()) -> Window:
        lapsed = ("users",) if step == 1 else ()
        return replace(await super().observe(step, open_breakers), lapsed=lapsed)
