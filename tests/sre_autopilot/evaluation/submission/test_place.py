"""A place on the ladder: surely better and surely worse by intervals, tied in between."""

import pytest

from sre_autopilot.evaluation.intervals import Estimate
from sre_autopilot.evaluation.ladder.document import Ladder, Rung, TierFigures
from sre_autopilot.evaluation.results import Result
from sre_autopilot.evaluation.submission.place import COLUMNS, FEWEST_EPISODES, places
from sre_autopilot.world.vocabulary import WORLD_VERSION, Tier

WORLD = "process"


def rung(policy, low, high, *, is_reference=False, world=WORLD, tier=Tier.HARD):
    mean = Estimate((low + high) / 2, low, high)
    figures = TierFigures(tier=tier, episodes=10, mean=mean, middle=mean)
    return Rung(
        world=world, policy=policy, trainings=1, is_reference=is_reference, tiers=(figures,)
    )


LADDER = Ladder(
    world_version=WORLD_VERSION,
    simulator_of=WORLD,
    first_seed=200_000,
    thresholds=(),
    rungs=(
        rung("oracle", 0.95, 0.96, is_reference=True),
        rung("belief", 0.82, 0.85),
        rung("runbook", 0.69, 0.71),
        rung("random", 0.2, 0.3),
        rung("belief", 0.1, 0.2, world="docker"),
    ),
)


ENOUGH = FEWEST_EPISODES


def results(*scores, tier=Tier.HARD):
    fields = {
        "world_version": WORLD_VERSION, "backend": WORLD, "policy": "mine", "tier": tier,
        "recovered_at": None, "first_broken_at": 1, "sla_met_ratio": 0.9, "duration_s": 1.0,
    }  # fmt: skip
    return [Result(seed=seed, score=score, **fields) for seed, score in enumerate(scores)]


@pytest.mark.parametrize(
    ("score", "rank", "tied"),
    [(0.99, 1, ()), (0.83, 1, ("belief",)), (0.8, 2, ()), (0.7, 2, ("runbook",)), (0.1, 4, ())],
)
def test_a_rank_is_one_more_than_the_surely_better_ones(score, rank, tied):
    (place,) = places(results(*[score] * ENOUGH), LADDER)
    assert (place.rank, place.tied) == (rank, tied)
    assert len(place.row()) == len(COLUMNS)
    assert place.row()[4] == f"{rank} of 4"
    assert place.as_json()["rank"] == rank


def test_a_wide_interval_ties_with_all_that_it_reaches():
    (place,) = places(results(*[0.5, 0.9] * 4), LADDER)
    assert (place.rank, place.tied, place.worse) == (1, ("belief", "runbook"), ("random",))


def test_a_policy_is_no_rival_of_itself():
    mine = LADDER.model_copy(update={"rungs": (*LADDER.rungs, rung("mine", 0.5, 0.6))})
    (place,) = places(results(*[0.7] * ENOUGH), mine)
    assert place.row()[4] == "2 of 4"


def test_a_tier_or_a_world_that_nobody_played_and_few_episodes_have_no_places():
    old = LADDER.model_copy(update={"world_version": "0"})
    for place in (
        *places(results(*[0.7] * ENOUGH, tier=Tier.EASY), LADDER),
        *places(results(*[0.7] * ENOUGH), old),
        *places(results(*[0.7] * (ENOUGH - 1)), LADDER),
    ):
        assert place.rank is None and place.row()[4] == "-"
