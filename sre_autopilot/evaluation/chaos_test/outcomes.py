"""What came of the kills, as JSON and as a table with a line for each kind. Pure."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich import box
from rich.table import Table

from sre_autopilot.evaluation.chaos_test.plan import Trial

COLUMNS = ("killed", "kills", "residues", "clean p50", "p99", "max", "resets", "reset max")
ALL = "all"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one kill.

    victims: the processes or containers that were killed.
    answer: what the call under way got: its status, or why it got none.
    clean_s: from the kill until nothing was left that should not be, s; None: not in time.
    residues: what was left when the time was over.
    reset_s: how long the next reset took, s; None: it failed.
    record: what the grader says of the episode's record.
    problems: what else went wrong, in words.
    """

    trial: Trial
    victims: tuple[str, ...]
    answer: str
    clean_s: float | None
    residues: tuple[str, ...]
    reset_s: float | None
    record: str
    problems: tuple[str, ...]

    @property
    def good(self) -> bool:
        return not self.residues and not self.problems and self.reset_s is not None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Summary:
    """The outcomes of one kind of kill. Times in s; None where there is none."""

    kind: str
    kills: int
    residues: int
    clean_p50_s: float | None
    clean_p99_s: float | None
    clean_max_s: float | None
    resets: int
    reset_max_s: float | None

    @classmethod
    def of(cls, kind: str, outcomes: Sequence[Outcome]) -> "Summary":
        clean = sorted(o.clean_s for o in outcomes if o.clean_s is not None)
        resets = [o.reset_s for o in outcomes if o.reset_s is not None]
        return cls(
            kind=kind,
            kills=len(outcomes),
            residues=sum(bool(o.residues) for o in outcomes),
            clean_p50_s=percentile(clean, 50),
            clean_p99_s=percentile(clean, 99),
            clean_max_s=percentile(clean, 100),
            resets=len(resets),
            reset_max_s=max(resets, default=None),
        )

    def row(self) -> tuple[str, ...]:
        times = (self.clean_p50_s, self.clean_p99_s, self.clean_max_s)
        return (
            self.kind,
            str(self.kills),
            str(self.residues),
            *map(_seconds, times),
            f"{self.resets} of {self.kills}",
            _seconds(self.reset_max_s),
        )


def percentile(ordered: Sequence[float], share_pct: float) -> float | None:
    """The least value that so many percent of the ordered sample do not exceed; None of nothing."""
    if not ordered:
        return None
    return ordered[max(0, math.ceil(len(ordered) * share_pct / 100) - 1)]


def summaries(outcomes: Sequence[Outcome]) -> list[Summary]:
    """One of each kind in alphabetical order, and one of all."""
    kinds = sorted({outcome.trial.kind for outcome in outcomes})
    of_kind = {kind: [o for o in outcomes if o.trial.kind == kind] for kind in kinds}
    return [*(Summary.of(kind, of_kind[kind]) for kind in kinds), Summary.of(ALL, outcomes)]


def table(title: str, outcomes: Sequence[Outcome]) -> Table:
    out = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for column in COLUMNS:
        out.add_column(column, justify="left" if column == COLUMNS[0] else "right")
    for summary in summaries(outcomes):
        out.add_row(*summary.row(), end_section=summary.kind != ALL)
    return out


def as_json(outcomes: Sequence[Outcome], **about: object) -> dict[str, Any]:
    """A JSON document: what was asked for, a summary of each kind, and every outcome."""
    return {
        **about,
        "summaries": [asdict(summary) for summary in summaries(outcomes)],
        "outcomes": [outcome.as_json() for outcome in outcomes],
    }


def _seconds(value_s: float | None) -> str:
    return "-" if value_s is None else f"{value_s:.2f} s"
