"""The pager's feed: what an on-call person hears, computed from what an agent sees. Pure.

The rules are those of Prometheus' alerts (`sre_autopilot.world.paging`) on noisy, late values: it
tells nothing that is not in the observations. An error rate that did not arrive counts in no mean.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sre_autopilot.models import SREObservation
from sre_autopilot.world.paging import (
    BURNS,
    SHORT_STEPS,
    SLA_HELD_STEPS,
    Alert,
    Burn,
    Severity,
    out_of_sla,
)
from sre_autopilot.world.topology import ENTRY, Service

INCIDENT = "Incident"
"""The alert that an episode begins with; Prometheus knows of no episodes, and has none."""


@dataclass(frozen=True, slots=True)
class Notice:
    """An alert, from the step in which it fired to the one in which it no longer holds (None: it
    still does).
    """

    step: int
    ended_at: int | None
    alert: str
    severity: Severity
    service: Service
    summary: str


def pager_feed(observations: Sequence[SREObservation]) -> tuple[Notice, ...]:
    """All notices of an episode so far, the oldest first; the first one is the incident's page.

    observations: those of an episode from its reset on, without a gap.
    """
    if not observations:
        return ()
    notices = [_incident(observations[0])]
    for burn in BURNS:
        firing = [_burns(burn, observations, end) for end in range(1, len(observations) + 1)]
        for step, ended_at in _spells(firing):
            notice = Notice(
                step, ended_at, Alert.ERROR_BUDGET_BURN, burn.severity, ENTRY, burn.summary
            )
            notices.append(notice)
    for service in Service:
        for step, ended_at in _spells(_out_of_sla(observations, service)):
            summary = out_of_sla(service)
            notices.append(
                Notice(step, ended_at, Alert.SLA_BROKEN, Severity.TICKET, service, summary)
            )
    return tuple(sorted(notices, key=lambda notice: notice.step))


def _incident(first: SREObservation) -> Notice:
    """The page that an episode begins with, whatever is wrong in it."""
    broken = [service for service, is_met in first.sla_status.items() if not is_met]
    symptoms = f"out of SLA: {', '.join(broken)}" if broken else "all SLAs are met so far"
    summary = f"You are on call, something may be wrong; {symptoms}"
    return Notice(first.step, first.step, INCIDENT, Severity.PAGE, ENTRY, summary)


def _burns(burn: Burn, observations: Sequence[SREObservation], end: int) -> bool:
    """Whether it fires after the observations before index `end`."""
    ratios = (
        _error_ratio(observations[max(0, end - steps) : end])
        for steps in (burn.long_steps, SHORT_STEPS)
    )
    # A mean of fewer steps than the short window has is a single call's accident.
    return end >= SHORT_STEPS and all(
        ratio is not None and ratio > burn.error_ratio for ratio in ratios
    )


def _error_ratio(observations: Sequence[SREObservation]) -> float | None:
    """Mean share of the users' calls that failed; None where no value arrived."""
    arrived = [rate for o in observations if (rate := o.metrics[ENTRY].error_rate) is not None]
    return sum(arrived) / len(arrived) if arrived else None


def _out_of_sla(observations: Sequence[SREObservation], service: Service) -> list[bool]:
    """Of each step, whether the service is and was out of its SLA for SLA_HELD_STEPS."""
    broken = [not observation.sla_status[service] for observation in observations]
    return [
        end >= SLA_HELD_STEPS and all(broken[end - SLA_HELD_STEPS : end])
        for end in range(1, len(broken) + 1)
    ]


def _spells(firing: Sequence[bool]) -> Iterator[tuple[int, int | None]]:
    """First step of each run of True, and the first step after it, None where there is none."""
    began: int | None = None
    for step, fires in enumerate(firing):
        if fires and began is None:
            began = step
        elif not fires and began is not None:
            yield began, step
            began = None
    if began is not None:
        yield began, None
