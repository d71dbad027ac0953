"""How much the host stood in the way of a window: from two scrapes, and from the orchestrator."""

from orchestrator.telemetry.window import NO_CALLS, Sample, Samples, histogram_quantile
from sre_autopilot.grading.validity import HostFigures
from sre_autopilot.world.topology import USERS

MS = 1000.0


def host_figures(
    before: Samples, after: Samples, *, overshoot_s: float, own_wait_s: float | None
) -> HostFigures:
    """The figures of the window between two scrapes.

    overshoot_s: how much later than it should the window ended.
    own_wait_s: what the orchestrator itself waited for a CPU in the window.
    """
    waits_ms = {
        name: round(MS * (now - _wait_s(before.get(name))), 3)
        for name, sample in after.items()
        if (now := sample.run_queue_wait_s) is not None
    }
    return HostFigures(
        run_queue_wait_ms=waits_ms or None,
        orchestrator_wait_ms=None if own_wait_s is None else round(MS * own_wait_s, 3),
        overshoot_ms=round(MS * overshoot_s, 3),
        lateness_p99_ms=_lateness_ms(before, after),
    )


def _wait_s(before: Sample | None) -> float:
    """A process that is not in the scrape before began within the window: its wait, with it."""
    return 0.0 if before is None or before.run_queue_wait_s is None else before.run_queue_wait_s


def _lateness_ms(before: Samples, after: Samples) -> float | None:
    if USERS not in after:
        return None
    earlier = before[USERS].lateness if USERS in before else NO_CALLS
    late_s = histogram_quantile(
        0.99,
        tuple(now - then for now, then in zip(after[USERS].lateness, earlier, strict=True)),
    )
    return None if late_s is None else round(MS * late_s, 3)
