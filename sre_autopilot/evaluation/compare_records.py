"""Two records of the same episode side by side, step by step.

Pure: records in; values, tables for a terminal and JSON-ready mappings out. Plays and reads
nothing. Differences are always B - A: what changes on the way from A to B.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from sre_autopilot import grading
from sre_autopilot.grading import EpisodeRecord, Score, StepRecord
from sre_autopilot.world.topology import Service

TERMS = ("total", *grading.WEIGHTS)
NOTHING = "-"


@dataclass(frozen=True, slots=True)
class StepPair:
    """One step of both episodes; None where that episode was over."""

    step: int
    a: StepRecord | None
    b: StepRecord | None

    @property
    def actions_differ(self) -> bool:
        """Whether other actions were taken, or the same were answered differently."""
        return _act(self.a) != _act(self.b)

    @property
    def windows_differ(self) -> bool:
        """Whether the true windows, before noise, differ in any service."""
        return (self.a and self.a.true) != (self.b and self.b.true)


@dataclass(frozen=True, slots=True)
class RecordComparison:
    """Two records of one tier and seed, graded anew."""

    a: EpisodeRecord
    b: EpisodeRecord
    score_a: Score
    score_b: Score
    steps: tuple[StepPair, ...]

    @property
    def first_action_difference(self) -> int | None:
        """First step whose actions differ; None where all are the same."""
        return next((pair.step for pair in self.steps if pair.actions_differ), None)

    @property
    def first_window_difference(self) -> int | None:
        """First step whose true windows differ; on one simulator never before the actions do."""
        return next((pair.step for pair in self.steps if pair.windows_differ), None)

    def terms(self) -> Iterator[tuple[str, float, float]]:
        """The total and each term of the score, of A and of B."""
        for term in TERMS:
            yield term, getattr(self.score_a, term), getattr(self.score_b, term)

    def as_json(self) -> dict[str, Any]:
        """Everything that the tables show, as plain values."""
        return {
            "tier": self.a.tier,
            "seed": self.a.seed,
            "first_action_difference": self.first_action_difference,
            "first_window_difference": self.first_window_difference,
            **{side: _side(*of) for side, of in self._sides().items()},
            "steps": [
                {"step": pair.step, "a": _act(pair.a), "b": _act(pair.b)} for pair in self.steps
            ],
        }

    def _sides(self) -> Mapping[str, tuple[EpisodeRecord, Score]]:
        return {"a": (self.a, self.score_a), "b": (self.b, self.score_b)}


def compare_records(a: EpisodeRecord, b: EpisodeRecord) -> RecordComparison:
    """Lines up the steps of two episodes and grades both.

    Raises ValueError where they are not of the same world version, tier and seed.
    """
    if not grading.comparable(a, b):
        raise ValueError(
            f"world_version differs: {a.world_version} and {b.world_version}; "
            "only episodes of one version can be compared"
        )
    if (a.tier, a.seed) != (b.tier, b.seed):
        raise ValueError(
            f"tier and seed differ: {a.tier} {a.seed} and {b.tier} {b.seed}; "
            "two records are compared step by step only where both are the same"
        )
    last = max(len(a.steps), len(b.steps))
    steps = (StepPair(step, _step(a, step), _step(b, step)) for step in range(last))
    return RecordComparison(a, b, grading.grade(a), grading.grade(b), tuple(steps))


def _step(record: EpisodeRecord, step: int) -> StepRecord | None:
    return record.steps[step] if step < len(record.steps) else None


def _act(step: StepRecord | None) -> dict[str, Any] | None:
    """The action of a step as plain values: what was asked, and whether the world did it."""
    if step is None or step.action is None:
        return None
    return step.action.model_dump(mode="json", include={"action", "service_id", "accepted"})


def _side(record: EpisodeRecord, score: Score) -> dict[str, Any]:
    return {
        "episode_id": record.episode_id,
        "policy": record.policy,
        "backend": record.backend,
        "steps": len(record.steps) - 1,
        "score": score.model_dump(mode="json"),
        "detected_at": record.detected_at,
        "caveats": list(record.caveats),
    }


def summary_rows(comparison: RecordComparison) -> Iterator[tuple[str, ...]]:
    """A header, the terms of the score, and the steps of detection (MTTD) and recovery (MTTR)."""
    yield "score", *_column_names(comparison), "B - A"
    for term, a, b in comparison.terms():
        yield term, f"{a:.3f}", f"{b:.3f}", f"{b - a:+.3f}"
    sides = ((comparison.a, comparison.score_a), (comparison.b, comparison.score_b))
    detected = [record.detected_at for record, _ in sides]
    for name, steps in (
        ("detected at step", detected),
        ("recovered at step", [score.recovered_at for _, score in sides]),
    ):
        yield name, *("never" if step is None else str(step) for step in steps), ""


def caveat_lines(comparison: RecordComparison) -> Iterator[str]:
    """What a reader of the two scores should know."""
    for name, record in zip(_column_names(comparison), (comparison.a, comparison.b), strict=True):
        yield from (f"{name}: {caveat}" for caveat in record.caveats)


def record_tables(comparison: RecordComparison) -> Iterator[Table]:
    """Two tables: the terms of the score, then the steps up to the end of the longer episode."""
    names = _column_names(comparison)
    head, *rows = summary_rows(comparison)
    terms = Table(*head, title=f"{comparison.a.tier}, seed {comparison.a.seed}")
    for row in rows:
        terms.add_row(*row)
    yield terms
    steps = Table("step", *(f"{name}\nout of SLA" for name in names), title="step by step")
    for pair in comparison.steps:
        style = "bold" if pair.step == comparison.first_action_difference else None
        steps.add_row(str(pair.step), _cell(pair.a), _cell(pair.b), style=style)
    yield steps


def difference_text(comparison: RecordComparison) -> str:
    """One sentence: where the two episodes part."""
    action, window = comparison.first_action_difference, comparison.first_window_difference
    if action is None and window is None:
        return "The two episodes are the same, step by step."
    actions = "the same actions" if action is None else f"other actions from step {action} on"
    windows = "the same windows" if window is None else f"other windows from step {window} on"
    return f"The two episodes have {actions}, and {windows}."


def _column_names(comparison: RecordComparison) -> tuple[str, str]:
    """Policies where they differ, else backends, else episode ids: the first that differs."""
    a, b = comparison.a, comparison.b
    pairs = ((a.policy, b.policy), (a.backend, b.backend), (a.episode_id, b.episode_id))
    left, right = next((pair for pair in pairs if pair[0] != pair[1]), ("first", "second"))
    return f"A: {left or NOTHING}", f"B: {right or NOTHING}"


def _cell(step: StepRecord | None) -> str:
    """The action, and below it the services that missed their SLA in the window after it."""
    if step is None:
        return ""
    act = step.action
    words = "reset" if act is None else f"{act.action} {act.service_id or ''}".strip()
    if act is not None and not act.accepted:
        words += " (refused)"
    elif act is not None and act.cures:
        words += " (cure)"
    missed = ", ".join(service for service in Service if not step.true[service].sla_met)
    return f"{words}\n[red]{missed}[/red]" if missed else words
