"""Whether a record is of the episode that it is submitted for: a record in, errors out."""

import math

from chaos.tiers import draw_faults
from orchestrator.environment import Environment
from orchestrator.episode import Episode, Plan
from sre_autopilot.debrief.replay import actions_of
from sre_autopilot.errors import InvalidValue
from sre_autopilot.evaluation.submission.document import Submission, SubmittedEpisode
from sre_autopilot.grading import (
    EpisodeRecord,
    FaultRecord,
    Verdict,
    contention,
    grade,
    recovered_at,
    validity_of,
)
from sre_autopilot.simulator import NAME
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.world.vocabulary import MAX_STEPS, Tier

SAME = 1e-6
"""Largest difference between equal scores: results are rounded to six digits."""
CURES = {"cured_at", "cured_by"}


def check_record(
    record: EpisodeRecord, submission: Submission, episode: SubmittedEpisode, field: str
) -> None:
    """field: the episode's place in the submission, for messages.

    Raises InvalidValue, which names the field.
    """
    for name, value, expected in (
        ("backend", record.backend, submission.backend),
        ("world_version", record.world_version, submission.world_version),
        ("tier", record.tier, episode.tier),
        ("seed", record.seed, episode.seed),
        ("max_steps", record.max_steps, MAX_STEPS),
        ("policy", record.policy or submission.policy, submission.policy),
        # With a key of its own, a seed could be played until it goes well.
        ("episode_key", record.episode_key, 0),
    ):
        if value != expected:
            raise InvalidValue(f"{field}.file: {name}", value, repr(expected))
    if record.aborted or not record.finished:
        raise InvalidValue(f"{field}.file: finished", False, "true: the episode was played out")
    _check_faults(record, field)
    _check_score(record, episode, field)
    _check_validity(record, episode, field)
    if record.backend == NAME:
        _check_windows(record, field)
    _check_end(record, field)


def _check_windows(record: EpisodeRecord, field: str) -> None:
    """What was true and what was observed is what the simulator plays, to the last digit."""
    with Environment(SimulatorBackend) as environment:
        observation = environment.reset(seed=record.seed, task_tier=record.tier)
        for action in actions_of(record):
            if not observation.done:
                observation = environment.step(action)
        played = environment.hidden_state().steps
    for step, replayed in zip(record.steps, played, strict=False):
        for name in ("action", "true", "edges", "observed"):
            if getattr(step, name) != getattr(replayed, name):
                expected = "what the simulator plays after these actions"
                raise InvalidValue(f"{field}.file: steps.{step.step}.{name}", "changed", expected)


def _check_end(record: EpisodeRecord, field: str) -> None:
    windows = len(record.steps)
    if not _is_over(record, windows) or _is_over(record, windows - 1):
        expected = f"up to the end of the episode: recovered, or step {MAX_STEPS}"
        raise InvalidValue(f"{field}.file: steps", f"up to step {windows - 1}", expected)


def _is_over(record: EpisodeRecord, windows: int) -> bool:
    """After so many windows, that of reset included; as `Episode` decides it."""
    healed = recovered_at(record.steps[:windows], record.faults) is not None
    return windows > MAX_STEPS or (healed and record.tier is not Tier.CONTROL)


def _check_faults(record: EpisodeRecord, field: str) -> None:
    drawn = draw_faults(record.tier, record.seed)
    plan = Plan(record.episode_id, record.seed, record.tier, drawn, record.backend)
    hidden = [_without_cures(fault) for fault in Episode(plan).fault_records]
    if [_without_cures(fault) for fault in record.faults] != hidden:
        expected = f"those that {record.tier} {record.seed} hides"
        raise InvalidValue(f"{field}.file: faults", [f.kind for f in record.faults], expected)
    by_actions = {
        index: (action.cure_step, action.action)
        for _, action in record.interventions
        for index in action.cures
    }
    for index, fault in enumerate(record.faults):
        if (fault.cured_at, fault.cured_by) != by_actions.get(index, (None, None)):
            expected = "as the actions of the steps cured it"
            raise InvalidValue(f"{field}.file: faults.{index}.cured_at", fault.cured_at, expected)


def _without_cures(fault: FaultRecord) -> dict[str, object]:
    return fault.model_dump(mode="json", exclude=CURES)


def _check_score(record: EpisodeRecord, episode: SubmittedEpisode, field: str) -> None:
    total = grade(record).total
    if record.score is None or not _same(record.score, total):
        raise InvalidValue(f"{field}.file: score", record.score, f"{total:.6f}, as it is graded")
    if not _same(episode.score, total):
        raise InvalidValue(f"{field}.score", episode.score, f"{total:.6f}, as it is graded")


def _check_validity(record: EpisodeRecord, episode: SubmittedEpisode, field: str) -> None:
    stored = record.checked_validity.verdict
    measured = validity_of(record.steps).verdict
    if stored not in (measured, Verdict.BROKEN):
        raise InvalidValue(f"{field}.file: validity", stored.value, f"{measured}, as measured")
    if episode.validity != stored:
        raise InvalidValue(f"{field}.validity", episode.validity.value, f"{stored}, as recorded")
    if stored is not Verdict.VALID:
        raise InvalidValue(f"{field}.validity", stored.value, f"{Verdict.VALID}: play it again")
    for step in record.steps:
        if step.host is None or step.contended != bool(contention(step.host)):
            name = f"{field}.file: steps.{step.step}.contended"
            raise InvalidValue(name, step.contended, "as the figures of its host say")


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, abs_tol=SAME)
