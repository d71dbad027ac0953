"""Whether a score can be trusted."""

from sre_autopilot.grading.frozen import Frozen


class HostFigures(Frozen):
    run_queue_wait_ms: dict[str, float] | None = None
    orchestrator_wait_ms: float | None = None
    overshoot_ms: float | None = None
    lateness_p99_ms: float | None = None
