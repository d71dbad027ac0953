"""The ladder as it is kept: a file of figures, of one version of the world. Values only."""

from pathlib import Path
from typing import Self

from sre_autopilot.errors import InvalidValue
from sre_autopilot.evaluation.intervals import Estimate
from sre_autopilot.grading.frozen import Frozen
from sre_autopilot.world.vocabulary import Tier

LADDER = Path(__file__).parent / "ladder.json"
WRITTEN_BY = "sre-autopilot dev ladder"


class TierFigures(Frozen):
    """One policy on one tier of one world. What no result says is None.

    episodes: seeds, times trainings. mean, middle: mean and interquartile mean of the scores.
    recovered, first_at_cause: shares of all episodes, and of those with an action. hands_off: share
    without any. detected_at, recovered_at: mean step, of the episodes in which that came.
    actions, cost_units: means of an episode.
    """

    tier: Tier
    episodes: int
    mean: Estimate
    middle: Estimate
    recovered: float | None = None
    recovered_at: float | None = None
    first_at_cause: float | None = None
    detected_at: float | None = None
    hands_off: float | None = None
    actions: float | None = None
    cost_units: float | None = None


class Overall(Frozen):
    """One policy over all tiers with faults, of each the same number of seeds.

    above: share of the episodes that score more than each of `Ladder.thresholds`.
    improvement: how probable a score is above one of `over`, the next policy below.
    """

    middle: Estimate
    above: tuple[Estimate, ...]
    over: str | None = None
    improvement: Estimate | None = None


class Rung(Frozen):
    """One policy on one world. is_reference: whether it reads the truth, or is a bound: nobody's
    score is to reach it, and it takes no place.
    """

    world: str
    policy: str
    trainings: int
    is_reference: bool
    tiers: tuple[TierFigures, ...]
    overall: Overall | None = None

    def on(self, tier: Tier) -> TierFigures | None:
        """None where it was not played."""
        return next((figures for figures in self.tiers if figures.tier == tier), None)


class Ladder(Frozen):
    """rungs: by world, the best first. thresholds: of scores. missing: names without a rung in the
    simulator.
    """

    world_version: str
    simulator_of: str
    first_seed: int
    thresholds: tuple[float, ...]
    rungs: tuple[Rung, ...]
    missing: tuple[str, ...] = ()

    def of_world(self, world: str) -> tuple[Rung, ...]:
        return tuple(rung for rung in self.rungs if rung.world == world)

    @classmethod
    def read(cls, path: Path = LADDER) -> Self:
        """Raises InvalidValue for a file that is no ladder, or is not there."""
        try:
            return cls.model_validate_json(path.read_text(encoding="ascii"))
        except (OSError, ValueError) as error:
            expected = f"a file that `{WRITTEN_BY}` wrote"
            raise InvalidValue("ladder", f"{path} ({error})", expected) from error

    def write(self, path: Path = LADDER) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.model_dump_json(indent=1) + "\n", encoding="ascii")
