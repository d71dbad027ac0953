"""The score of a recorded episode, from the truth in it and never from what a client says. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from sre_autopilot.grading.frozen import Frozen
from sre_autopilot.grading.record import (
    ActionRecord,
    EpisodeRecord,
    FaultRecord,
    StepRecord,
)
from sre_autopilot.world import vocabulary as world
from sre_autopilot.world.topology import ENTRY, Service
from sre_autopilot.world.vocabulary import ACTION_COSTS, ActionName, FaultKind

LOWEST, SPAN = 0.01, 0.98
WEIGHTS = {"sla": 0.30, "speed": 0.15, "budget": 0.15, "root_cause": 0.40}
ENTRY_COUNTS = 2
SPEED_STEPS, BUDGET_UNITS, UNCURED_PENALTY = 15, 10, 0.5
ROLLBACK_VALUE = 0.2
WRONG_SERVICE_PENALTY, INEFFECTIVE_PENALTY, NEEDLESS_PENALTY = 0.35, 0.25, 0.25
CURED_BY_CHANCE: Mapping[str, ActionName] = {FaultKind.SINGLE_OOM: ActionName.RESTART}
"""Cures that may fail: a failed try before the cure is not held against the agent."""

Loss = tuple[float, str]
"""How much is lost, and why."""


class Score(Frozen):
    """`total` in [0.01, 0.99], its terms in 0..1, and the points that it lacks with the reasons."""

    total: float
    sla: float
    speed: float
    budget: float
    root_cause: float
    resolved: bool
    recovered_at: int | None
    reasons: tuple[Loss, ...]


def recovered_at(steps: Sequence[StepRecord], faults: Sequence[FaultRecord]) -> int | None:
    """First of the windows in a row, all faults cured and all SLAs met, that end an episode."""
    cures = [f.cured_at for f in faults if f.cured_at is not None]
    if not faults or len(cures) < len(faults):
        return None
    in_a_row = 0
    for step in steps:
        in_a_row = in_a_row + 1 if step.step >= max(1, *cures) and step.sla_met else 0
        if in_a_row == world.RECOVERY_WINDOWS:
            return step.step + 1 - in_a_row
    return None


def grade(record: EpisodeRecord) -> Score:
    """Scores the truth. Each term is what its losses leave of 1, and not below 0."""
    recovered = recovered_at(record.steps, record.faults)
    losses = {
        "sla": _sla(record, recovered),
        "speed": _speed(record, recovered),
        "budget": _budget(record),
        "root_cause": _root_cause(record),
    }
    terms: dict[str, float] = dict.fromkeys(losses, 1.0)
    reasons: list[Loss] = []
    for term, (share, reason) in ((t, loss) for t, parts in losses.items() for loss in parts):
        lost = min(share, terms[term])
        terms[term] -= lost
        reasons += [(SPAN * WEIGHTS[term] * lost, f"{term}: {reason}")] if lost else []
    total = LOWEST + SPAN * sum(WEIGHTS[term] * left for term, left in terms.items())
    return Score(
        total=min(max(total, LOWEST), LOWEST + SPAN),
        **terms,
        resolved=recovered is not None or not record.breakages,
        recovered_at=recovered,
        reasons=tuple(reasons),
    )


def _sla(record: EpisodeRecord, recovered: int | None) -> Iterator[Loss]:
    windows = record.steps[1:]
    slots = record.max_steps * (len(Service) + ENTRY_COUNTS - 1)
    for service in Service:
        missed = sum(not window.true[service].sla_met for window in windows)
        weight = ENTRY_COUNTS if service is ENTRY else 1
        yield missed * weight / slots, f"{service} missed it in {missed} of {len(windows)} windows"
    if recovered is None:
        unplayed = record.max_steps - len(windows)
        yield unplayed / record.max_steps, f"{unplayed} steps were not played"


def _speed(record: EpisodeRecord, recovered: int | None) -> Iterator[Loss]:
    if recovered is not None:
        yield recovered / SPEED_STEPS, f"recovered at step {recovered}"
    elif record.breakages:
        yield 1.0, "never recovered"


def _budget(record: EpisodeRecord) -> Iterator[Loss]:
    cost = sum(ACTION_COSTS[action.action] for _, action in record.interventions)
    spent = min(1.0, cost / BUDGET_UNITS)
    yield spent, f"spent {cost} of {BUDGET_UNITS} units"
    if uncured := [f.kind for f in record.breakages if not record.cured(f)]:
        share = len(uncured) / len(record.breakages)
        yield (1.0 - spent) * UNCURED_PENALTY * share, f"not cured: {', '.join(uncured)}"


def _root_cause(record: EpisodeRecord) -> Iterator[Loss]:
    share = 1.0 / max(1, len(record.breakages))
    for fault in record.breakages:
        where = f"{fault.kind} at {fault.root}"
        if not record.cured(fault):
            yield share, f"{where} was not cured"
        elif fault.cured_by is not fault.cheap_cure:
            value = ROLLBACK_VALUE if fault.cured_by is ActionName.ROLLBACK else 0.0
            yield share * (1.0 - value), f"{where} was cured by {fault.cured_by}"
    roots = {fault.root for fault in record.breakages}
    for step, action in record.interventions:
        what = f"step {step}: {action.action} on {action.service_id}"
        if not roots:
            yield NEEDLESS_PENALTY, f"{what}, where nothing was wrong"
        elif action.service_id not in roots:
            yield WRONG_SERVICE_PENALTY, f"{what}, which is no root"
        elif not (action.cures or _tried(record, step, action) or _drained(record, step, action)):
            yield INEFFECTIVE_PENALTY, f"{what}, which did not help"


def _tried(record: EpisodeRecord, step: int, action: ActionRecord) -> bool:
    """Whether it was a cure that fails by chance, before one succeeded."""
    return any(
        CURED_BY_CHANCE.get(fault.kind) is action.action
        and fault.root is action.service_id
        and (fault.cured_at is None or step < fault.cured_at)
        for fault in record.breakages
    )


def _drained(record: EpisodeRecord, step: int, action: ActionRecord) -> bool:
    """Whether it was a circuit break behind which a restart of the same service cured."""
    return action.action is ActionName.CIRCUIT_BREAK and any(
        step < later < step + world.BREAKER_STEPS
        and (cure.action, cure.service_id) == (ActionName.RESTART, action.service_id)
        and cure.cures
        for later, cure in record.interventions
    )
