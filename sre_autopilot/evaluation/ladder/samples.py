"""What the ladder is made of: the outcomes of one policy on one tier of one world."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sre_autopilot.evaluation.ladder.aggregates import Floats, Scores
from sre_autopilot.evaluation.lane_outcomes import Outcomes
from sre_autopilot.evaluation.results import Result, cells
from sre_autopilot.world.vocabulary import Tier


@dataclass(frozen=True, slots=True)
class Sample:
    """trainings: outcomes of the same seeds, in the same order, by each training of the policy; one
    where nothing was trained. Unknown figures of an outcome are nan.
    """

    world: str
    policy: str
    tier: Tier
    trainings: Sequence[Outcomes]

    @property
    def scores(self) -> Scores:
        """(trainings, seeds)."""
        return self.of("score")

    def of(self, figure: str) -> Floats:
        """(trainings, seeds) of a field of Outcomes."""
        return np.stack([getattr(outcomes, figure) for outcomes in self.trainings])


def samples_of(results: Iterable[Result]) -> list[Sample]:
    """Of graded results, world by world; those that do not count are left out."""
    by_world: dict[str, list[Result]] = {}
    for result in results:
        by_world.setdefault(result.backend, []).append(result)
    return [
        Sample(world, cell.policy, cell.tier, (_outcomes(cell.counted),))
        for world, of_world in by_world.items()
        for cell in cells(of_world)
        if cell.counted
    ]


def _outcomes(results: Sequence[Result]) -> Outcomes:
    rows = [_row(result) for result in sorted(results, key=lambda result: result.seed)]
    return Outcomes(*np.array(rows, np.float64).T)


def _row(result: Result) -> tuple[float | None, ...]:
    """In the order of Outcomes; None becomes nan."""
    diagnosis = result.diagnosis
    if diagnosis is None:
        return (result.score, result.recovered_at, *[None] * (len(Outcomes._fields) - 2))
    return (
        result.score,
        result.recovered_at,
        diagnosis.first_action_at,
        diagnosis.first_at_cause,
        diagnosis.detected_at,
        diagnosis.actions,
        diagnosis.cost_units,
    )
