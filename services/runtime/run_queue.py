"""How long the threads of a process were ready to run and got no CPU: what the host took from it.

A process that sleeps, is stalled by a fault or waits for an answer is in no run queue. Standard
library only.
"""

from contextlib import suppress
from pathlib import Path

NANOS = 1e9


class RunQueueWait:
    """Adds up the waits of all threads that a process has or had, read when asked.

    Source: Linux, Documentation/scheduler/sched-stats.rst, /proc/PID/schedstat: the second field is
    the time spent waiting on a run queue, in nanoseconds.
    """

    def __init__(self, proc: Path = Path("/proc/self")) -> None:
        self._tasks = proc / "task"
        self._seen_ns: dict[str, int] = {}
        self._total_ns = 0

    def seconds(self) -> float | None:
        """Since the first thread began, s; never falls. None where the kernel keeps no such count.

        What a thread waited between the last call and its own end is lost.
        """
        waits_ns = dict(self._waits_ns())
        if not waits_ns:
            return None
        self._total_ns += sum(
            max(0, wait_ns - self._seen_ns.get(thread, 0)) for thread, wait_ns in waits_ns.items()
        )
        self._seen_ns = waits_ns
        return self._total_ns / NANOS

    def _waits_ns(self) -> list[tuple[str, int]]:
        waits = []
        with suppress(OSError):
            for task in self._tasks.iterdir():
                with suppress(OSError, IndexError, ValueError):  # the thread has just ended
                    waits.append((task.name, int((task / "schedstat").read_bytes().split()[1])))
        return waits
