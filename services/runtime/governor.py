"""Takes CPU time away from the data loop, as a quota or a noisy neighbour would.

The control thread is not affected: a starved replica can still be scraped and healed.
"""

import asyncio
import hashlib
import time

from sre_autopilot.world.shapes import STALL_CYCLE_S

_BURN = bytes(1 << 18)


class Governor:
    """Deschedules its loop for (1 - cpu_fraction) of every cycle; set from any thread.

    neighbour_cpu_pct is burnt in a thread beside it, in percentage points of `limit_cores`, at
    most 100.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, limit_cores: float) -> None:
        self._loop = loop
        self._limit_cores = limit_cores
        self._cycling = False
        self.cpu_fraction = 1.0
        self.neighbour_cpu_pct = 0.0

    def set(self, cpu_fraction: float, neighbour_cpu_pct: float) -> None:
        """Takes effect with the next cycle; a renewal does not restart the running one."""
        self.cpu_fraction = cpu_fraction
        self.neighbour_cpu_pct = min(neighbour_cpu_pct, 100.0)
        self._loop.call_soon_threadsafe(self._start)

    def _start(self) -> None:
        if not self._cycling:
            self._cycle()

    def _cycle(self) -> None:
        """One cycle from now: the stall first, then the loop runs."""
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
    """Burns `cpu_s` seconds of CPU in the calling thread, for a cycle at most.

    Hashing large blocks releases the interpreter's lock, so that other threads run.
    """
    ends_at = time.monotonic() + STALL_CYCLE_S
    burnt_at = time.thread_time() + cpu_s
    while time.thread_time() < burnt_at and time.monotonic() < ends_at:
        hashlib.sha256(_BURN).digest()
