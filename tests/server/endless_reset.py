"""A backend whose services never come: a reset on it lasts until the server ends."""

import asyncio
import os

from sre_autopilot.simulator.backend import SimulatorBackend


class EndlessReset(SimulatorBackend):
    """Says on its standard output when it has begun to wait."""

    async def launch(self, seed: int) -> None:
        os.write(1, b"launching\n")
        await asyncio.Event().wait()
