"""Scores of many episodes: the file that keeps them, means with intervals. Plays nothing."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from pydantic import BaseModel, ConfigDict

from sre_autopilot import grading
from sre_autopilot.evaluation.diagnosis import Diagnosis
from sre_autopilot.evaluation.intervals import Estimate
from sre_autopilot.grading import Verdict
from sre_autopilot.world.vocabulary import WORLD_VERSION, Tier

INTERVAL_COLUMN = "95 % interval"
COLUMNS = ("tier", "policy", "episodes", "mean", INTERVAL_COLUMN, "recovered", "SLA met (%)")
LEFT_OUT_COLUMN = "left out"
NOTHING = "-"
PAIRED_COLUMNS = (*COLUMNS, "the same seeds on the other backend", "difference")


class Scored(Protocol):
    """An episode of which the score is known: a `Result`, a `Recording`, a `ScoredEpisode`."""

    @property
    def policy(self) -> str: ...

    @property
    def tier(self) -> Tier: ...

    @property
    def seed(self) -> int: ...

    @property
    def score(self) -> float: ...


class ScoredEpisode(NamedTuple):
    """A score and what it is of; nothing else is kept."""

    policy: str
    tier: Tier
    seed: int
    score: float


class Result(BaseModel):
    """One episode played and graded.

    first_broken_at: first step at which a service missed its SLA, None where none ever did.
    sla_met_ratio: share of service-windows, that of reset left out, that met it.
    validity: whether the score can be trusted; unknown in results of earlier versions.
    plays: how often the episode was played until its score could be trusted, or it was given up.
    diagnosis: None in results of earlier versions.
    weights: of the policy, see `policies.weights_of`; None where it has none, and in results of
        earlier versions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    world_version: str
    backend: str
    policy: str
    tier: Tier
    seed: int
    score: float
    recovered_at: int | None
    first_broken_at: int | None
    sla_met_ratio: float
    duration_s: float
    validity: Verdict = Verdict.UNKNOWN
    plays: int = 1
    diagnosis: Diagnosis | None = None
    weights: str | None = None

    @property
    def key(self) -> tuple[str, str, Tier, int]:
        """Which episode it is of: backend, policy, tier and seed."""
        return self.backend, self.policy, self.tier, self.seed

    @property
    def counts(self) -> bool:
        """Whether it belongs into a mean."""
        return self.validity in (Verdict.VALID, Verdict.UNKNOWN)

    @classmethod
    def of(
        cls,
        record: grading.EpisodeRecord,
        policy: str,
        plays: int = 1,
        weights: str | None = None,
    ) -> Self:
        """The result of a finished episode; `policy` as it was asked for."""
        score = grading.grade(record)
        steps = record.steps[1:]
        met = [service.sla_met for step in steps for service in step.true.values()]
        return cls(
            world_version=record.world_version,
            backend=record.backend,
            policy=policy,
            tier=record.tier,
            seed=record.seed,
            score=round(score.total, 6),
            recovered_at=score.recovered_at,
            first_broken_at=next((step.step for step in steps if not step.sla_met), None),
            sla_met_ratio=round(sum(met) / len(met), 4),
            duration_s=round(sum(step.duration_s or 0.0 for step in record.steps), 2),
            validity=record.checked_validity.verdict,
            plays=plays,
            diagnosis=Diagnosis.of(record),
            weights=weights,
        )


def read_results(path: Path, backend: str | None = None) -> list[Result]:
    """Results of this world version, of one backend or of all; lines of others are skipped.

    One that does not count, or is of other weights, is dropped where a later line is of the same
    episode.

    Raises ValueError, which names the file and the line, for a line that is no result.
    """
    if not path.exists():
        return []
    results = []
    for number, line in enumerate(path.read_text(encoding="ascii").splitlines(), start=1):
        if not line:
            continue
        try:
            result = Result.model_validate_json(line)
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: not a result: {error}") from error
        if result.world_version == WORLD_VERSION and backend in (None, result.backend):
            results.append(result)
    return _without_replaced(results)


def _without_replaced(results: Sequence[Result]) -> list[Result]:
    last = {result.key: index for index, result in enumerate(results)}
    return [
        result
        for index, result in enumerate(results)
        if last[result.key] == index
        or (result.counts and result.weights == results[last[result.key]].weights)
    ]


@dataclass(frozen=True, slots=True)
class Cell:
    """All results of one policy on one tier; those that do not count are in no mean."""

    tier: Tier
    policy: str
    results: Sequence[Result]

    @property
    def counted(self) -> list[Result]:
        return [result for result in self.results if result.counts]

    @property
    def left_out(self) -> int:
        return len(self.results) - len(self.counted)

    @property
    def mean(self) -> float:
        """Nan where no result counts."""
        scores = [result.score for result in self.counted]
        return float(np.mean(scores)) if scores else float("nan")

    def row(self) -> tuple[str, ...]:
        """One text a column, in the order of COLUMNS."""
        counted = self.counted
        if not counted:
            return (self.tier, self.policy, "0", *[NOTHING] * (len(COLUMNS) - 3))
        scores = Estimate.of([result.score for result in counted])
        recovered = sum(result.recovered_at is not None for result in counted)
        sla_met = np.mean([result.sla_met_ratio for result in counted])
        return (
            self.tier,
            self.policy,
            str(len(counted)),
            f"{scores.mean:.3f}",
            scores.interval,
            f"{recovered}/{len(counted)}",
            f"{100 * sla_met:.1f}",
        )

    def as_json(self) -> dict[str, Any]:
        """The numbers of `row` as plain values; without means where no result counts."""
        counted = self.counted
        head = {
            "tier": self.tier,
            "policy": self.policy,
            "episodes": len(counted),
            "left_out": self.left_out,
            "played_again": sum(result.plays - 1 for result in self.results),
        }
        if not counted:
            return head
        return {
            **head,
            **Estimate.of([result.score for result in counted])._asdict(),
            "recovered": sum(result.recovered_at is not None for result in counted),
            "sla_met_ratio": float(np.mean([result.sla_met_ratio for result in counted])),
        }


def cells(results: Iterable[Result]) -> list[Cell]:
    """Results by tier, in the tiers' order, and policy, the best first."""
    grouped: dict[tuple[Tier, str], list[Result]] = defaultdict(list)
    for result in results:
        grouped[result.tier, result.policy].append(result)
    tiers = list(Tier)
    made = [Cell(tier, policy, played) for (tier, policy), played in grouped.items()]
    return sorted(made, key=lambda cell: (tiers.index(cell.tier), -np.nan_to_num(cell.mean)))


def paired(results: Iterable[Result], others: Iterable[Result]) -> list[tuple[str, ...]]:
    """A row a cell, in the order of PAIRED_COLUMNS; only seeds that both have are compared."""
    elsewhere = {(r.tier, r.policy, r.seed): r.score for r in others if r.counts}
    rows = []
    for cell in cells(results):
        both = [
            (result.score, elsewhere[key])
            for result in cell.counted
            if (key := (result.tier, result.policy, result.seed)) in elsewhere
        ]
        here, there = np.mean(both, axis=0) if both else (0.0, 0.0)
        compared = (f"{there:.3f} ({len(both)})", f"{here - there:+.3f}") if both else ("-", "-")
        rows.append((*cell.row(), *compared))
    return rows
