"""What a calibration says: shares, bounds, and the limits that would meet both. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from rich import box
from rich.table import Table

from sre_autopilot.evaluation.validity.rows import CalibrationWindow
from sre_autopilot.grading.validity import RUN_QUEUE_LIMIT
from sre_autopilot.world.vocabulary import Tier

MISSES_CALLED_BOUND = 0.95
"""At least so many of the SLA misses that the host causes lie in windows called contended."""
QUIET_CALLED_BOUND = 0.01
"""At most so many windows of a quiet machine are called contended."""
LIMITS = tuple(round(0.05 * number, 2) for number in range(2, 21))
"""Limits of the longest wait for a CPU that are tried, as shares of a window."""

Windows = Sequence[CalibrationWindow]
Rule = Callable[[CalibrationWindow], bool]


@dataclass(frozen=True, slots=True)
class Shares:
    """What a rule calls contended: of the host's SLA misses, and of the windows without hogs; nan
    where there are none.
    """

    misses_called: float
    quiet_called: float

    @property
    def meet_both_bounds(self) -> bool:
        return self.misses_called >= MISSES_CALLED_BOUND and self.quiet_called <= QUIET_CALLED_BOUND


def of_control(windows: Windows) -> list[CalibrationWindow]:
    return [window for window in windows if window.tier is Tier.CONTROL]


def shares(windows: Windows, rule: Rule) -> Shares:
    """Of control windows: misses beside at least one hog, and windows beside none."""
    busy = [window for window in of_control(windows) if window.hogs]
    quiet = [window for window in of_control(windows) if not window.hogs]
    return Shares(_misses_called(busy, rule), _called(quiet, rule))


def fitting_limits(windows: Windows) -> list[float]:
    """The limits of LIMITS that meet both bounds."""
    return [limit for limit in LIMITS if _at(windows, limit).meet_both_bounds]


def group_table(windows: Windows) -> Table:
    """A row for each tier and number of hogs: how often the SLA was missed, what was called so."""
    columns = (
        "tier",
        "hogs",
        "windows",
        "with a miss",
        "contended (%)",
        "misses in them (%)",
        "longest wait: median",
        "99th percentile",
    )
    out = _table("windows by tier and busy threads", columns)
    for tier, hogs in sorted({(w.tier, w.hogs) for w in windows}, key=_in_order):
        group = [w for w in windows if (w.tier, w.hogs) == (tier, hogs)]
        waits = np.quantile([w.worst_wait for w in group], (0.5, 0.99))
        out.add_row(
            tier,
            str(hogs),
            str(len(group)),
            str(sum(w.missed > 0 for w in group)),
            _percent(_called(group, _now)),
            _percent(_misses_called(group, _now)) if tier is Tier.CONTROL else "-",
            *(f"{wait:.2f}" for wait in waits),
        )
    return out


def limit_table(windows: Windows) -> Table:
    """A row for each limit that is tried, with both shares."""
    columns = ("limit of the longest wait", "misses called (%)", "quiet called (%)", "both bounds")
    out = _table("the other limits as they are", columns)
    for limit in LIMITS:
        at = _at(windows, limit)
        mark = "met" if at.meet_both_bounds else ""
        out.add_row(f"{limit:.2f}", _percent(at.misses_called), _percent(at.quiet_called), mark)
    return out


def summary(windows: Windows) -> str:
    """Both bounds as the rule is now, and the limits that would meet them."""
    now, fitting = shares(windows, _now), fitting_limits(windows)
    if np.isnan(now.misses_called):
        return (
            f"{_percent(now.quiet_called)} % of the windows of a quiet machine are called "
            "contended; no window beside busy threads missed its SLA, which proves nothing of the "
            "first bound: take more of them, such as --hogs 0,8"
        )
    limits = (
        f"limits from {fitting[0]:.2f} to {fitting[-1]:.2f} meet both bounds"
        if fitting
        else "no limit meets both bounds"
    )
    return (
        f"{_percent(now.misses_called)} % of the host's SLA misses are called contended "
        f"(at least {_percent(MISSES_CALLED_BOUND)}), {_percent(now.quiet_called)} % of the "
        f"windows of a quiet machine (at most {_percent(QUIET_CALLED_BOUND)}); {limits}; "
        f"in use: {RUN_QUEUE_LIMIT:.2f}"
    )


def bounds_are_met(windows: Windows) -> bool:
    """By the rule as it is."""
    return shares(windows, _now).meet_both_bounds


def _now(window: CalibrationWindow) -> bool:
    return window.contended


def _at(windows: Windows, limit: float) -> Shares:
    return shares(windows, lambda window: window.contended_at(limit))


def _called(windows: Windows, rule: Rule) -> float:
    return sum(map(rule, windows)) / len(windows) if windows else float("nan")


def _misses_called(windows: Windows, rule: Rule) -> float:
    misses = sum(window.missed for window in windows)
    called = sum(window.missed for window in windows if rule(window))
    return called / misses if misses else float("nan")


def _percent(share: float) -> str:
    return "-" if np.isnan(share) else f"{100.0 * share:.1f}"


def _in_order(group: tuple[Tier, int]) -> tuple[int, int]:
    tier, hogs = group
    return (-1 if tier is Tier.CONTROL else list(Tier).index(tier)), hogs


def _table(title: str, columns: Sequence[str]) -> Table:
    out = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for column in columns:
        out.add_column(column, justify="left" if column == "tier" else "right", overflow="fold")
    return out
