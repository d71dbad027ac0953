"""How much the host stood in the way of a window: from two scrapes, and from the orchestrator."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from orchestrator.telemetry.window import NO_CALLS, Sample, Samples, histogram_quantile
from services.runtime.run_queue import RunQueueWait
from sre_autopilot.grading import HostFigures
from sre_autopilot.world.topology import USERS

MS = 1000.0
STOLEN_COLUMN = 8
"""Of a `cpu` line of /proc/stat (proc(5)): time that a hypervisor gave to other machines."""
CPUS = os.cpu_count() or 1
PROC_STAT = Path("/proc/stat")


@dataclass(frozen=True, slots=True)
class HostClock:
    """Counts at a moment of the monotonic clock, s: the orchestrator's own wait for a CPU, and what
    was stolen from all CPUs of the machine. None where the kernel does not count it.
    """

    at_s: float
    waited_s: float | None
    stolen_s: float | None


class HostClocks:
    """Reads the counts of this process and of its machine."""

    def __init__(self, run_queue: RunQueueWait | None = None, stat: Path = PROC_STAT) -> None:
        self._run_queue = run_queue or RunQueueWait()
        self._stat = stat

    def read(self) -> HostClock:
        return HostClock(time.monotonic(), self._run_queue.seconds(), self._stolen_s())

    def _stolen_s(self) -> float | None:
        try:
            with self._stat.open(encoding="ascii") as lines:
                return int(lines.readline().split()[STOLEN_COLUMN]) / os.sysconf("SC_CLK_TCK")
        except (OSError, IndexError, ValueError):
            return None


def host_figures(
    before: Samples, after: Samples, clocks: tuple[HostClock, HostClock], overshoot_s: float
) -> HostFigures:
    """The figures of the window between two scrapes, and two readings of the clocks.

    overshoot_s: how much later than it should the window ended.
    """
    waits_ms = {
        name: _ms(sample.run_queue_wait_s - _wait_s(before.get(name)))
        for name, sample in after.items()
        if sample.run_queue_wait_s is not None
    }
    then, now = clocks
    window_s = now.at_s - then.at_s
    stolen_s = _increase(then.stolen_s, now.stolen_s)
    waited_s = _increase(then.waited_s, now.waited_s)
    return HostFigures(
        window_ms=_ms(window_s),
        run_queue_wait_ms=waits_ms or None,
        orchestrator_wait_ms=None if waited_s is None else _ms(waited_s),
        overshoot_ms=_ms(overshoot_s),
        lateness_p99_ms=_lateness_ms(before, after),
        stolen_ratio=None if stolen_s is None else round(stolen_s / (window_s * CPUS), 4),
    )


def _wait_s(before: Sample | None) -> float:
    """A process that is not in the scrape before began within the window, and so did its count."""
    return 0.0 if before is None or before.run_queue_wait_s is None else before.run_queue_wait_s


def _lateness_ms(before: Samples, after: Samples) -> float | None:
    if USERS not in after:
        return None
    earlier = before[USERS].lateness if USERS in before else NO_CALLS
    late_s = histogram_quantile(
        0.99, tuple(now - then for now, then in zip(after[USERS].lateness, earlier, strict=True))
    )
    return None if late_s is None else _ms(late_s)


def _increase(then_s: float | None, now_s: float | None) -> float | None:
    return None if then_s is None or now_s is None else now_s - then_s


def _ms(seconds: float) -> float:
    return round(MS * seconds, 3)
