"""From the samples of policies to the figures of the ladder. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set

import numpy as np

from sre_autopilot.evaluation.intervals import Estimate
from sre_autopilot.evaluation.ladder.aggregates import (
    Floats,
    Scores,
    estimate,
    improvement,
    interquartile_mean,
    mean,
    profile,
)
from sre_autopilot.evaluation.ladder.document import Overall, Rung, TierFigures
from sre_autopilot.evaluation.ladder.samples import Sample
from sre_autopilot.world.vocabulary import FAULTY_TIERS, Tier

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)
_Key = tuple[str, str]
"""World and policy."""


def rungs(samples: Iterable[Sample], references: Set[str]) -> list[Rung]:
    """A rung for each policy on each world, the best first; references stand at the top.

    references: names of policies that read the truth, and of bounds.
    """
    by_rung: dict[_Key, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_rung[sample.world, sample.policy].append(sample)
    made = [_rung(played, played[0].policy in references) for played in by_rung.values()]
    worlds = list(dict.fromkeys(rung.world for rung in made))
    made.sort(key=lambda rung: (worlds.index(rung.world), not rung.is_reference, -_height(rung)))
    return list(_compared(made, by_rung))


def tier_figures(sample: Sample) -> TierFigures:
    """The figures of one policy on one tier."""
    scores, recovered_at = sample.scores, sample.of("recovered_at")
    actions = sample.of("actions")
    hands_off = None if np.isnan(actions).any() else round(float(np.mean(actions == 0.0)), 3)
    return TierFigures(
        tier=sample.tier,
        episodes=scores.size,
        mean=_rounded(estimate([scores], mean)),
        middle=_rounded(estimate([scores], interquartile_mean)),
        recovered=round(float(np.mean(~np.isnan(recovered_at))), 3),
        recovered_at=_mean_of_present(recovered_at),
        first_at_cause=_mean_of_present(sample.of("first_at_cause")),
        detected_at=_mean_of_present(sample.of("detected_at")),
        hands_off=hands_off,
        actions=_mean_of_present(actions),
        cost_units=_mean_of_present(sample.of("cost_units")),
    )


def bound_on(world: str, tier: Tier, name: str, scores: Floats) -> Rung:
    """A rung of scores that nobody played. scores: (seeds,)."""
    figures = TierFigures(
        tier=tier,
        episodes=len(scores),
        mean=_rounded(estimate([scores[None]], mean)),
        middle=_rounded(estimate([scores[None]], interquartile_mean)),
    )
    return Rung(world=world, policy=name, trainings=1, is_reference=True, tiers=(figures,))


def _rung(played: Sequence[Sample], is_reference: bool) -> Rung:
    by_tier = {sample.tier: sample for sample in played}
    return Rung(
        world=played[0].world,
        policy=played[0].policy,
        trainings=len(played[0].trainings),
        is_reference=is_reference,
        tiers=tuple(tier_figures(by_tier[tier]) for tier in Tier if tier in by_tier),
    )


def _height(rung: Rung) -> float:
    """Mean over the tiers with faults that were played; a rung without any stands at the bottom."""
    means = [figures.mean.mean for figures in rung.tiers if figures.tier in FAULTY_TIERS]
    return float(np.mean(means)) if means else 0.0


def _compared(ordered: Sequence[Rung], by_rung: Mapping[_Key, Sequence[Sample]]) -> Iterator[Rung]:
    """The same with figures over all tiers, where all were played."""
    scores = {key: _of_all_tiers(played) for key, played in by_rung.items()}
    for place, rung in enumerate(ordered):
        key = rung.world, rung.policy
        lower = ((other.world, other.policy) for other in ordered[place + 1 :])
        below = next((each for each in lower if each[0] == rung.world and scores[each]), None)
        overall = _overall(scores[key]) if scores[key] else None
        if overall is not None and below is not None:
            gain = _rounded(improvement(scores[key], scores[below]))
            overall = overall.model_copy(update={"over": below[1], "improvement": gain})
        yield rung.model_copy(update={"overall": overall})


def _overall(tiers: Sequence[Scores]) -> Overall:
    above = tuple(_rounded(share) for share in profile(tiers, THRESHOLDS))
    return Overall(middle=_rounded(estimate(tiers, interquartile_mean)), above=above)


def _of_all_tiers(played: Sequence[Sample]) -> list[Scores]:
    """Of each tier with faults the same number of seeds, the first ones; empty where one lacks."""
    by_tier = {sample.tier: sample.scores for sample in played}
    if not by_tier.keys() >= {*FAULTY_TIERS}:
        return []
    fewest = min(by_tier[tier].shape[1] for tier in FAULTY_TIERS)
    return [by_tier[tier][:, :fewest] for tier in FAULTY_TIERS]


def _mean_of_present(values: Floats) -> float | None:
    present = values[~np.isnan(values)]
    return round(float(present.mean()), 3) if present.size else None


def _rounded(exact: Estimate) -> Estimate:
    return Estimate(*(round(value, 4) for value in exact))
