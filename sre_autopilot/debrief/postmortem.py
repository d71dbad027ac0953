"""What a postmortem says of a recorded episode: impact, times, timeline. Reads the record alone."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sre_autopilot import grading
from sre_autopilot.grading import EpisodeRecord, FaultRecord, StepRecord
from sre_autopilot.grading.frozen import Frozen
from sre_autopilot.models import SREObservation
from sre_autopilot.pager import INCIDENT, Notice, pager_feed
from sre_autopilot.world.topology import ENTRY, Service


class Moment(Frozen):
    """A step, and the seconds from the end of the first window to the end of that one's; None where
    the record has no clock.
    """

    step: int
    after_s: float | None


class Event(Frozen):
    """One line of the timeline."""

    step: int
    text: str


class Impact(Frozen):
    """windows_missed: of the windows that are graded, in which a service missed its SLA.

    calls, failed: of users, in all windows.
    """

    windows: int
    windows_missed: Mapping[Service, int]
    calls: int
    failed: int


class Postmortem(Frozen):
    """detected: the first intervention on a cause (time to detect, MTTD). recovered: the first of
    the healthy windows that end an episode (time to recover, MTTR). None where that did not come,
    or nothing was broken. losses: points of score with their reasons. caveats: what a reader of
    the score should know, such as that the machine was too busy.
    """

    score: float
    caveats: tuple[str, ...]
    terms: Mapping[str, float]
    faults: tuple[str, ...]
    detected: Moment | None
    recovered: Moment | None
    impact: Impact
    timeline: tuple[Event, ...]
    losses: tuple[tuple[float, str], ...]


def postmortem(record: EpisodeRecord) -> Postmortem:
    """Of a record with one window at least."""
    score = grading.grade(record)
    return Postmortem(
        score=score.total,
        caveats=record.caveats,
        terms={term: getattr(score, term) for term in grading.WEIGHTS},
        faults=tuple(_named(fault) for fault in record.breakages),
        detected=_moment(record, record.detected_at),
        recovered=_moment(record, score.recovered_at),
        impact=_impact(record),
        timeline=tuple(sorted(_events(record, score.recovered_at), key=lambda event: event.step)),
        losses=tuple(sorted(score.reasons, reverse=True)),
    )


def _named(fault: FaultRecord) -> str:
    cause = fault.parameters.get("cause")
    return f"{fault.kind} at {fault.root}" + (f" ({cause})" if cause else "")


def _moment(record: EpisodeRecord, step: int | None) -> Moment | None:
    if step is None:
        return None
    began, ended = record.steps[0].ended_at, record.steps[step].ended_at
    after_s = None if began is None or ended is None else ended - began
    return Moment(step=step, after_s=after_s)


def _impact(record: EpisodeRecord) -> Impact:
    graded = record.steps[1:]
    users = [step.true[ENTRY] for step in record.steps]
    return Impact(
        windows=len(graded),
        windows_missed={
            service: sum(not step.true[service].sla_met for step in graded) for service in Service
        },
        calls=sum(service.calls for service in users),
        failed=sum(service.failed for service in users),
    )


def _events(record: EpisodeRecord, recovered_at: int | None) -> Iterator[Event]:
    for fault in record.breakages:
        yield Event(step=0, text=f"{_named(fault)} begins")
        if fault.cured_at is not None and fault.cured_at < len(record.steps):
            text = f"{fault.kind} at {fault.root} is cured, by {fault.cured_by}"
            yield Event(step=fault.cured_at, text=text)
    symptom = _first_symptom(record)
    if symptom is not None:
        yield symptom
    page = next((each for each in _notices(record) if each.alert != INCIDENT), None)
    if page is not None:
        yield Event(step=page.step, text=f"first alert: {page.alert} for {page.service}")
    missed = next((step for step in record.steps if not step.sla_met), None)
    if missed is not None:
        services = [service for service in Service if not missed.true[service].sla_met]
        yield Event(step=missed.step, text=f"first window out of SLA: {', '.join(services)}")
    for step in record.steps:
        if step.action is not None and (step.action.service_id or step.action.error):
            yield Event(step=step.step, text=_done(step))
    if recovered_at is not None:
        yield Event(step=recovered_at, text="every service meets its SLA again, and stays so")


def _notices(record: EpisodeRecord) -> Sequence[Notice]:
    """None where the record lacks what the agent observed."""
    if not all(step.observed for step in record.steps):
        return ()
    return pager_feed([SREObservation.model_validate(step.observed) for step in record.steps])


def _first_symptom(record: EpisodeRecord) -> Event | None:
    """The first verdict against a service that the agent observed, noise and delay included."""
    for step in record.steps:
        verdicts: Mapping[str, Any] = step.observed.get("sla_status", {})
        bad = [service for service, met in verdicts.items() if not met]
        if bad:
            what = "first symptom" if record.breakages else "false alarm"
            return Event(step=step.step, text=f"{what} that the agent saw: {', '.join(bad)}")
    return None


def _done(step: StepRecord) -> str:
    action = step.action
    assert action is not None
    what = f"{action.action} {action.service_id or ''}".rstrip()
    if not action.accepted:
        return f"{what}: refused, {action.error}"
    return f"{what}: cures" if action.cures else f"{what}: cures nothing"
