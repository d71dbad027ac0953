"""Whether a score can be trusted: how busy the machine was in each window, and in an episode. Pure.

The limits were calibrated by `sre-autopilot dev calibrate-validity`; decision 039 has the figures.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sre_autopilot.grading.frozen import Frozen

if TYPE_CHECKING:
    from sre_autopilot.grading.record import StepRecord

RUN_QUEUE_LIMIT = 0.4
"""Most that one process may wait for a CPU, as a share of the window: in one of 0.5 s, as long as
the SLA allows a call to take."""
ORCHESTRATOR_LIMIT = 0.1
"""Share of the window for which the orchestrator may wait for a CPU, and by which the window may
end late. One of 0.5 s has some 16 requests; 50 ms later, it has two of the next one's as well."""
STOLEN_LIMIT = 0.25
"""Most that a hypervisor may take of the machine's CPUs, as a share of the window."""
LATENESS_LIMIT_MS = 50.0
"""Latest that the users may send 99 of 100 requests: a quarter of what the SLA allows a call."""
CONTENDED_WINDOWS_SHARE = 0.1
"""Share of contended windows that an episode may have."""


class Verdict(StrEnum):
    """VALID: the score counts. CONTENDED: the machine was too busy. BROKEN: the world was not what
    it should have been. UNKNOWN: nothing was measured, as in records of earlier versions.
    """

    VALID = "valid"
    CONTENDED = "contended"
    BROKEN = "broken"
    UNKNOWN = "unknown"


class HostFigures(Frozen):
    """How much the host stood in the way of a window; None where it was not measured.

    window_ms: how long the window took.
    run_queue_wait_ms: by process of the mesh, time that its threads were ready and had no CPU.
    orchestrator_wait_ms: the same of the orchestrator.
    overshoot_ms: how much later than it should the window ended.
    lateness_p99_ms: how late the users sent their requests, the 99th percentile.
    stolen_ratio: share of the time of the machine's CPUs that a hypervisor gave to others.
    """

    window_ms: float
    run_queue_wait_ms: dict[str, float] | None = None
    orchestrator_wait_ms: float | None = None
    overshoot_ms: float | None = None
    lateness_p99_ms: float | None = None
    stolen_ratio: float | None = None


UNCONTENDED = HostFigures(
    window_ms=0.0,
    run_queue_wait_ms={},
    orchestrator_wait_ms=0.0,
    overshoot_ms=0.0,
    lateness_p99_ms=0.0,
    stolen_ratio=0.0,
)
"""The figures of a world without a host in its way: the simulator's."""


class Validity(Frozen):
    """The verdict over an episode, with its reasons; `windows` were measured, `contended_windows`
    of them were contended.
    """

    verdict: Verdict
    reasons: tuple[str, ...] = ()
    contended_windows: int = 0
    windows: int = 0

    @property
    def counts(self) -> bool:
        """Whether the score belongs into a mean: one of which nothing is known does."""
        return self.verdict in (Verdict.VALID, Verdict.UNKNOWN)

    @property
    def text(self) -> str:
        """One line for whoever reads the score; names nothing that is hidden from agents."""
        return f"{self.verdict}: {self._meaning()}"

    def public(self) -> dict[str, Any]:
        """For whoever played: JSON-ready, without the reasons, which may name what was impaired."""
        counts = {"windows": self.windows, "contended_windows": self.contended_windows}
        return {"verdict": str(self.verdict), **counts, "text": self.text}

    def _meaning(self) -> str:
        busy = f"the machine was too busy in {self.contended_windows} of {self.windows} windows"
        match self.verdict:
            case Verdict.VALID:
                return busy
            case Verdict.CONTENDED:
                return f"{busy}; do not trust the score"
            case Verdict.BROKEN:
                return "the world was not as it should have been; the score means nothing"
        return "nothing was measured of the machine"


def contention(host: HostFigures) -> tuple[str, ...]:
    """Why a window is contended; empty where it is not."""
    return tuple(_reasons(host))


def _reasons(host: HostFigures) -> Iterator[str]:
    waits = host.run_queue_wait_ms or {}
    name = max(waits, key=lambda process: waits[process], default=None)
    orchestrator_ms = ORCHESTRATOR_LIMIT * host.window_ms
    for value, limit, text in (
        (
            None if name is None else waits[name],
            RUN_QUEUE_LIMIT * host.window_ms,
            f"{name} waited {{:.0f}} ms for a CPU (limit {{:.0f}})",
        ),
        (
            host.orchestrator_wait_ms,
            orchestrator_ms,
            "the orchestrator waited {:.0f} ms for a CPU (limit {:.0f})",
        ),
        (host.overshoot_ms, orchestrator_ms, "the window ended {:.0f} ms late (limit {:.0f})"),
        (host.lateness_p99_ms, LATENESS_LIMIT_MS, "the users were {:.0f} ms late (limit {:.0f})"),
        (
            host.stolen_ratio,
            STOLEN_LIMIT,
            "{:.0%} of the machine went to others (limit {:.0%})",
        ),
    ):
        if value is not None and value > limit:
            yield text.format(value, limit)


def validity_of(steps: "Sequence[StepRecord]", problems: Sequence[str] = ()) -> Validity:
    """The verdict over the windows of an episode, that of reset included.

    problems: what was not as it should be in the world behind it; any makes it broken.
    """
    measured = [step for step in steps if step.host is not None]
    contended = [step for step in measured if step.contended]
    verdict, reasons = Verdict.VALID, tuple(problems)
    if problems:
        verdict = Verdict.BROKEN
    elif not measured:
        verdict = Verdict.UNKNOWN
    elif len(contended) > CONTENDED_WINDOWS_SHARE * len(measured):
        verdict, reasons = Verdict.CONTENDED, tuple(_busy(contended, len(measured)))
    return Validity(
        verdict=verdict,
        reasons=reasons,
        contended_windows=len(contended),
        windows=len(measured),
    )


def _busy(contended: "Sequence[StepRecord]", windows: int) -> Iterator[str]:
    missed = sum(not step.sla_met for step in contended)
    yield f"the machine was too busy in {len(contended)} of {windows} windows"
    yield f"the SLA was missed in {missed} of them"
    for step in contended:
        for reason in contention(step.host) if step.host is not None else ():
            yield f"step {step.step}: {reason}"
