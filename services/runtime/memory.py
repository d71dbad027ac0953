"""Memory of a process by proportional share: forked processes share most of their pages.

Standard library only: the zygote, which loads the services later, reads it too.
"""

import math
import os
import time
from pathlib import Path

from services.runtime.proc_file import read_proc

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def proportional_bytes(pid: int | str = "self", proc: Path = Path("/proc")) -> int:
    """Memory that a process accounts for, shared pages divided by their sharers (PSS).

    Reads /proc/PID/smaps_rollup, or smaps where the kernel has no sum of it (before Linux 4.14,
    gVisor). Raises FileNotFoundError or ProcessLookupError where there is no such process, and
    ValueError where the kernel does not say.
    """
    folder = proc / str(pid)
    rollup = folder / "smaps_rollup"
    smaps = rollup if rollup.exists() else folder / "smaps"
    parts = [line for line in smaps.read_bytes().splitlines() if line.startswith(b"Pss:")]
    if not parts:
        raise ValueError(f"{smaps} has no Pss line")
    return sum(int(line.split()[1]) for line in parts) * 1024


class ProportionalMemory:
    """Memory of this process by proportional share, at the price of its resident size.

    A process that grows makes new pages, which are its own, so its share grows by as much. The sum
    over all pages takes a millisecond of CPU; it is made again after REFRESH_S, and at once where
    the resident size has changed by more than REFRESH_BYTES.
    """

    REFRESH_S = 5.0
    REFRESH_BYTES = 1 << 20

    def __init__(self) -> None:
        self._summed_at_s = -math.inf
        self._summed_bytes = self._resident_bytes = 0

    def bytes(self) -> int:
        resident = resident_bytes()
        growth = resident - self._resident_bytes
        age_s = time.monotonic() - self._summed_at_s
        if age_s > self.REFRESH_S or abs(growth) > self.REFRESH_BYTES:
            self._summed_at_s, growth = time.monotonic(), 0
            self._summed_bytes, self._resident_bytes = proportional_bytes(), resident
        return self._summed_bytes + growth


def resident_bytes(pid: int | str = "self", proc: Path = Path("/proc")) -> int:
    """Resident size, shared pages counted whole: cheap, and never below the proportional share.

    Raises FileNotFoundError or ProcessLookupError where there is no such process.
    """
    return int(read_proc(f"{proc}/{pid}/statm").split()[1]) * PAGE_BYTES
