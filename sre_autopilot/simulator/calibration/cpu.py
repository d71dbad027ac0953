"""Fits what work costs a service: CPU at rest, of a call, of a lost call, and of a start."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sre_autopilot.simulator import parameters
from sre_autopilot.simulator.calibration.evidence import (
    CALL_COUNT,
    CPU_PCT,
    FAILED_COUNT,
    SERVICES,
    RecordedWindow,
)

MANY_LOST = 3
"""Lost calls in a window from which their CPU can be told from noise."""
MANY_LOST_IN_ALL = 50
"""The same of all windows together."""


def cpu_lines(recorded: Sequence[RecordedWindow]) -> dict[str, Any]:
    """CPU is a line over the calls worked on, with its residuals, and more for each lost call."""
    by_service: dict[str, list[Any]] = {
        name: [] for name in ("cpu_idle_pct", "cpu_call_pct", "cpu_pct", "cpu_lost_pct")
    }
    steady = [
        window
        for window in recorded
        if window.settled and not window.deployment.open_breakers(window.step)
    ]
    for s in range(len(SERVICES)):
        true = np.array([window.true[s] for window in steady if not _starved(window)])
        true = true[~np.isnan(true[:, CPU_PCT])]
        # Windows in which other services fail are kept: they have few calls, and without them the
        # line would be too flat.
        healthy = true[true[:, FAILED_COUNT] == 0]
        per_call, idle = np.polyfit(healthy[:, CALL_COUNT], healthy[:, CPU_PCT], 1)
        left = true[:, CPU_PCT] - idle - per_call * true[:, CALL_COUNT]
        by_service["cpu_idle_pct"].append(idle)
        by_service["cpu_call_pct"].append(per_call)
        by_service["cpu_pct"].append(parameters.middle_quantiles(left[true[:, FAILED_COUNT] == 0]))
        lost = _lost_call(steady, s, idle, per_call)
        if lost is None:
            many = true[:, FAILED_COUNT] >= MANY_LOST
            lost = np.nanmedian(left[many] / true[many, FAILED_COUNT]) if many.any() else 0.0
        by_service["cpu_lost_pct"].append(float(lost))
    return by_service


def _lost_call(
    steady: Sequence[RecordedWindow], s: int, idle: float, per_call: float
) -> float | None:
    """CPU that a lost call costs a service besides its work, where a link or a release loses calls:
    its caller hangs up and connects anew. None where too few were lost.

    A ratio of sums, for those that a window loses are counted in it or in the next one.
    """
    more, failed_calls = 0.0, 0.0
    for window in steady:
        for target, order in window.impairments.items():
            loses = order.cpu_fraction == 1.0 and max(order.partitioned, order.drop_ratio) > 0.0
            alone = len(window.deployment.replicas[target.service]) == 1
            calls, failed, cpu = window.true[s, [CALL_COUNT, FAILED_COUNT, CPU_PCT]]
            if SERVICES.index(target.service) == s and loses and alone and not np.isnan(cpu):
                # What meets silence is not worked on; what is dropped is.
                worked_on = calls - failed if order.partitioned else calls
                more += cpu - idle - per_call * worked_on
                failed_calls += failed
    return more / failed_calls if failed_calls >= MANY_LOST_IN_ALL else None


def _starved(window: RecordedWindow) -> bool:
    return any(i.cpu_fraction < 1.0 or i.partitioned > 0.0 for i in window.impairments.values())


def cpu_of_a_start(recorded: Sequence[RecordedWindow]) -> float:
    """CPU of a process that started in the window and got no traffic."""
    cpu = [
        window.true[SERVICES.index(service), CPU_PCT]
        for window in recorded
        for service in window.deployment.out_of_rotation
        if not window.impairments
    ]
    return float(np.nanmedian(cpu))
