"""Plays the policies that the checks are about, on many seeds of each tier in the simulator."""

from collections.abc import Sequence
from functools import partial
from itertools import product

from rich.progress import Progress

from sre_autopilot.evaluation.lane_outcomes import Floats
from sre_autopilot.evaluation.many_seeds import VectorEvaluator
from sre_autopilot.evaluation.score_checks.checks import Scores
from sre_autopilot.world.vocabulary import Tier

DESCRIPTION_WIDTH = 36
"""Of a policy and a tier, so that the bar stands still."""


def play_all(
    policies: Sequence[str], tiers: Sequence[Tier], evaluator: VectorEvaluator, progress: Progress
) -> Scores:
    """Scores of every policy on every tier; `progress` shows how many episodes have ended."""
    scores: dict[tuple[str, Tier], Floats] = {}
    total = len(tiers) * len(policies) * evaluator.episode_count
    bar = progress.add_task("", total=total)
    for tier, policy in product(tiers, policies):
        progress.update(bar, description=f"{policy}, {tier}".ljust(DESCRIPTION_WIDTH))
        scores[policy, tier] = evaluator.scores(policy, tier, partial(progress.advance, bar))
    return scores
