"""Takes CPU time away from the data loop, as a quota or a neighbour on the host would.

The control thread lives on: a starved replica can still be asked and healed.
"""

import asyncio
import hashlib
import time

from services.mesh.shapes import STALL_CYCLE_S

_BURN = bytes(1 << 18)


class Governor:
    """Deschedules its loop for (1 - cpu_fraction) of every cycle; set from any thread.

    neighbour_cpu_pct is burnt in the stalled time, in percentage points of `limit_cores`, and no
    more than fits into it.
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
        room_pct = 100.0 * (1.0 - cpu_fraction) / self._limit_cores
        self.neighbour_cpu_pct = min(neighbour_cpu_pct, room_pct)
        self._loop.call_soon_threadsafe(self._start)

    def _start(self) -> None:
        if not self._cycling:
            self._cycle()

    def _cycle(self) -> None:
        """One cycle from now: the stall, then the time that is left to run."""
        self._cycling = self.cpu_fraction < 1.0
        if not self._cycling:
            return
        next_cycle = self._loop.time() + STALL_CYCLE_S
        burn_s = self.neighbour_cpu_pct / 100.0 * self._limit_cores * STALL_CYCLE_S
        stall((1.0 - self.cpu_fraction) * STALL_CYCLE_S, burn_s)
        self._loop.call_at(next_cycle, self._cycle)


def stall(stall_s: float, burn_s: float) -> None:
    """Blocks the calling thread for `stall_s`, of which up to `burn_s` of CPU are burnt.

    Hashing large blocks lets go of the interpreter's lock, so only this thread stands still.
    """
    wakes_at = time.monotonic() + stall_s
    burnt_at = time.thread_time() + burn_s
    while time.thread_time() < burnt_at and time.monotonic() < wakes_at:
        hashlib.sha256(_BURN).digest()
    time.sleep(max(0.0, wakes_at - time.monotonic()))
