"""Takes CPU time away from the data loop, as a quota or a neighbour on the host would.

The control thread lives on: a starved replica can still be asked and healed.
"""

import asyncio
import hashlib
import time

from sre_autopilot.world.shapes import STALL_CYCLE_S

_BURN = bytes(1 << 18)


class Governor:
    """Deschedules its loop for (1 - cpu_fraction) of every cycle; set from any thread.

    neighbour_cpu_pct is burnt beside it, in percentage points of `limit_cores`, which is all that
    there is to burn.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, limit_cores: float) -> None:
        self._loop = loop
        self._limit_cores = limit_cores
        self._cycling = False
        self.cpu_fraction = 1.0
        self.neighbour_cpu_pct = 0.0

    def set(self, cpu_fraction: float, neighbour_cpu_pct: float) -> None:
        """A cycle that runs goes on: renewing does not start it anew."""
        self.cpu_fraction = cpu_fraction
        self.neighbour_cpu_pct = min(neighbour_cpu_pct, 100.0)
        self._loop.call_soon_threadsafe(self._start)

    def _start(self) -> None:
        if not self._cycling:
            self._cycle()

    def _cycle(self) -> None:
        """One cycle from now: the stall, then the time that is left to run."""
        self._cycling = self.cpu_fraction < 1.0 or self.neighbour_cpu_pct > 0.0
        if not self._cycling:
            return
        next_cycle = self._loop.time() + STALL_CYCLE_S
        if self.neighbour_cpu_pct:
            burn_s = self.neighbour_cpu_pct / 100.0 * self._limit_cores * STALL_CYCLE_S
            self._loop.run_in_executor(None, burn, burn_s)
        time.sleep((1.0 - self.cpu_fraction) * STALL_CYCLE_S)
        self._loop.call_at(next_cycle, self._cycle)


def burn(cpu_s: float) -> None:
    """Burns so much CPU in the calling thread, for a cycle at most.

    Hashing large blocks lets go of the interpreter's lock, so nobody else stands still.
    """
    ends_at = time.monotonic() + STALL_CYCLE_S
    burnt_at = time.thread_time() + cpu_s
    while time.thread_time() < burnt_at and time.monotonic() < ends_at:
        hashlib.sha256(_BURN).digest()
