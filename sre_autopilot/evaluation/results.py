"""Scores of many episodes: the file they are kept in, means with intervals. Plays nothing."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy import stats

from sre_autopilot import grading
from sre_autopilot.world.draws import Stream
from sre_autopilot.world.vocabulary import WORLD_VERSION, Tier

CONFIDENCE = 0.95
COLUMNS = ("tier", "policy", "episodes", "mean", "95 % interval", "recovered", "SLA met (%)")
PAIRED_COLUMNS = (*COLUMNS, "the same seeds on the other backend", "difference")


class Result(BaseModel):
    """One episode played and graded.

    first_broken_at: first step at which a service missed its SLA, None where none ever did.
    sla_met_ratio: share of service-windows, that of reset left out, that met it.
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

    @classmethod
    def of(cls, record: grading.EpisodeRecord, policy: str) -> Self:
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
        )


def read_results(path: Path, backend: str) -> list[Result]:
    """Results of this backend and world version; lines of others are left alone."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="ascii").splitlines()
    results = [Result.model_validate_json(line) for line in lines if line]
    return [r for r in results if r.backend == backend and r.world_version == WORLD_VERSION]


def interval(scores: Sequence[float]) -> tuple[float, float]:
    """95 % bootstrap interval (percentile) of the mean; where all are equal, that score."""
    if len(set(scores)) == 1:
        return scores[0], scores[0]
    rng = np.random.default_rng(Stream.BOOTSTRAP)
    found = stats.bootstrap(
        (np.asarray(scores),), np.mean, confidence_level=CONFIDENCE, method="percentile", rng=rng
    ).confidence_interval
    return float(found.low), float(found.high)


@dataclass(frozen=True, slots=True)
class Cell:
    """All results of one policy on one tier."""

    tier: Tier
    policy: str
    results: Sequence[Result]

    @property
    def mean(self) -> float:
        return float(np.mean([result.score for result in self.results]))

    def row(self) -> tuple[str, ...]:
        """As COLUMNS says."""
        low, high = interval([result.score for result in self.results])
        recovered = sum(result.recovered_at is not None for result in self.results)
        sla_met = np.mean([result.sla_met_ratio for result in self.results])
        return (
            self.tier,
            self.policy,
            str(len(self.results)),
            f"{self.mean:.3f}",
            f"{low:.3f} .. {high:.3f}",
            f"{recovered}/{len(self.results)}",
            f"{100 * sla_met:.1f}",
        )


def cells(results: Iterable[Result]) -> list[Cell]:
    """Results by tier, in the tiers' order, and policy, the best first."""
    found: dict[tuple[Tier, str], list[Result]] = defaultdict(list)
    for result in results:
        found[result.tier, result.policy].append(result)
    tiers = list(Tier)
    made = [Cell(tier, policy, played) for (tier, policy), played in found.items()]
    return sorted(made, key=lambda cell: (tiers.index(cell.tier), -cell.mean))


def paired(results: Iterable[Result], others: Iterable[Result]) -> list[tuple[str, ...]]:
    """As PAIRED_COLUMNS says; only seeds that both have are compared."""
    elsewhere = {(r.tier, r.policy, r.seed): r.score for r in others}
    rows = []
    for cell in cells(results):
        both = [
            (result.score, elsewhere[key])
            for result in cell.results
            if (key := (result.tier, result.policy, result.seed)) in elsewhere
        ]
        here, there = np.mean(both, axis=0) if both else (0.0, 0.0)
        compared = (f"{there:.3f} ({len(both)})", f"{here - there:+.3f}") if both else ("-", "-")
        rows.append((*cell.row(), *compared))
    return rows
