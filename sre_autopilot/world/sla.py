"""The service level agreement, and when a window of calls meets it."""

from dataclasses import dataclass

P99_LIMIT_MS = 200.0
ERROR_RATE_LIMIT = 0.01
FORGIVEN_FAILURES = 1
"""Low-traffic guard: this many failed calls never break the SLA, however few calls there were."""


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls to one service in one window, as its callers saw them.

    `p99_ms` counts every call that took time (a call refused at once took none);
    `answered_p99_ms` counts the calls that succeeded. Both are None where there were none.
    """

    total: int
    failed: int
    p99_ms: float | None
    answered_p99_ms: float | None

    @property
    def error_rate(self) -> float | None:
        return self.failed / self.total if self.total else None


def is_met(calls: Calls) -> bool:
    """Whether the window meets the SLA; a window without calls does."""
    if calls.failed <= FORGIVEN_FAILURES:
        return calls.answered_p99_ms is None or calls.answered_p99_ms <= P99_LIMIT_MS
    return calls.failed / calls.total <= ERROR_RATE_LIMIT and (
        calls.p99_ms is None or calls.p99_ms <= P99_LIMIT_MS
    )
