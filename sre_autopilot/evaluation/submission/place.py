"""Where a submission stands on the ladder: ranks are shared where intervals overlap. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from sre_autopilot.evaluation.ladder.document import Ladder, Rung, TierFigures
from sre_autopilot.evaluation.ladder.figures import tier_figures
from sre_autopilot.evaluation.ladder.report import NOTHING
from sre_autopilot.evaluation.ladder.samples import samples_of
from sre_autopilot.evaluation.results import Result
from sre_autopilot.world.vocabulary import WORLD_VERSION

FEWEST_EPISODES = 8
"""Of fewer on a tier there is no place: who chooses one lucky seed would be the best."""
COLUMNS = ("tier", "episodes", "mean", "95 % interval", "place", "tied with")


class Place(NamedTuple):
    """On one tier. better, tied, worse: names of the rungs there, without references."""

    figures: TierFigures
    better: tuple[str, ...]
    tied: tuple[str, ...]
    worse: tuple[str, ...]

    @property
    def rank(self) -> int | None:
        """From 1: behind all that are surely better. None where nobody else is on the tier."""
        return len(self.better) + 1 if self.better or self.tied or self.worse else None

    def row(self) -> tuple[str, ...]:
        """As COLUMNS."""
        rivals = len(self.better) + len(self.tied) + len(self.worse)
        place = NOTHING if self.rank is None else f"{self.rank} of {rivals + 1}"
        figures = self.figures
        return (
            figures.tier,
            str(figures.episodes),
            f"{figures.mean.mean:.3f}",
            figures.mean.interval,
            place,
            ", ".join(self.tied) or NOTHING,
        )

    def as_json(self) -> dict[str, Any]:
        names = {"better": self.better, "tied": self.tied, "worse": self.worse}
        return {"rank": self.rank, **names, **self.figures.model_dump(mode="json")}


def places(results: Iterable[Result], ladder: Ladder) -> Iterator[Place]:
    """One a tier; without rank beside rungs of another world version, or of few episodes."""
    for sample in samples_of(results):
        figures = tier_figures(sample)
        is_placed = ladder.world_version == WORLD_VERSION and figures.episodes >= FEWEST_EPISODES
        rivals = ladder.of_world(sample.world) if is_placed else ()
        yield _place(figures, [rung for rung in rivals if rung.policy != sample.policy])


def _place(figures: TierFigures, rivals: Iterable[Rung]) -> Place:
    of_tier = [
        (rung.policy, theirs.mean)
        for rung in rivals
        if not rung.is_reference and (theirs := rung.on(figures.tier)) is not None
    ]
    ours = figures.mean
    better = tuple(name for name, theirs in of_tier if theirs.low > ours.high)
    worse = tuple(name for name, theirs in of_tier if theirs.high < ours.low)
    tied = tuple(name for name, _ in of_tier if name not in better + worse)
    return Place(figures, better, tied, worse)
