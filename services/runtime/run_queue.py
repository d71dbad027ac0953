"""How long the threads of a process were ready to run and got no CPU: what the host took from it.

A process that sleeps, is stalled by a fault or waits for an answer is in no run queue. Standard
library only.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from services.runtime.proc_file import read_proc

NANOS = 1e9
STOP_S = 0.75
"""Longer than a quota stops a thread at a time: most of an outage's cycle (STALL_CYCLE_S)."""
STOPS = "nr_throttled"
"""Line of cpu.stat (Linux, Documentation/admin-guide/cgroup-v2.rst, "CPU")."""


class RunQueueWait:
    """Adds up the waits of all threads that a process has or had, read when asked.

    Source: Linux, Documentation/scheduler/sched-stats.rst, /proc/PID/schedstat: the second field is
    the time spent waiting on a run queue, in nanoseconds.

    quota: the file of the process's own CPU quota (`cpu.stat` of its cgroup), if it has one. A
        thread that the quota stops stays in the run queue, and a fault may set the quota: what was
        waited between two calls is left out where it stopped the process meanwhile, or shortly
        before, since the kernel counts a wait when it ends.
    """

    def __init__(
        self,
        proc: Path = Path("/proc/self"),
        quota: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tasks = proc / "task"
        self._quota = quota
        self._clock = clock
        self._stops = self._count_stops()
        self._read_at_s = self._counts_from_s = clock()
        self._seen_ns: dict[str, int] = {}
        self._total_ns = 0

    def seconds(self) -> float | None:
        """Since the first thread began, s; never falls. None where the kernel keeps no such count.

        What a thread waited between the last call and its own end is lost.
        """
        waits_ns = dict(self._waits_ns())
        if not waits_ns:
            return None
        stops = self._count_stops()
        now_s = self._clock()
        if stops != self._stops:
            self._counts_from_s = now_s + STOP_S
        elif self._read_at_s >= self._counts_from_s:
            self._total_ns += sum(
                max(0, wait_ns - self._seen_ns.get(thread, 0))
                for thread, wait_ns in waits_ns.items()
            )
        self._seen_ns, self._stops, self._read_at_s = waits_ns, stops, now_s
        return self._total_ns / NANOS

    def _count_stops(self) -> int:
        """How often the quota has stopped the process; 0 where that is not counted."""
        if self._quota is not None:
            with suppress(OSError, ValueError):
                for line in self._quota.read_text(encoding="ascii").splitlines():
                    name, _, count = line.partition(" ")
                    if name == STOPS:
                        return int(count)
        return 0

    def _waits_ns(self) -> list[tuple[str, int]]:
        waits = []
        with suppress(OSError):
            for task in self._tasks.iterdir():
                with suppress(OSError, IndexError, ValueError):  # the thread has just ended
                    waits.append((task.name, int(read_proc(f"{task}/schedstat").split()[1])))
        return waits
