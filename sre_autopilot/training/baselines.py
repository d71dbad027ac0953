"""Mean scores of shipped policies on the seeds that a training is scored on, to stand beside it."""

from collections.abc import Callable, Sequence

from orchestrator.settings import Settings
from sre_autopilot.evaluation.many_seeds import VectorEvaluator
from sre_autopilot.training.scoring import validation_seeds
from sre_autopilot.world.vocabulary import Tier


def baseline_scores(
    policies: Sequence[str], score_seeds: int, engine: str | None, watch: Callable[[str], None]
) -> dict[str, dict[Tier, float]]:
    """By policy, then tier. watch: called with what plays next. Raises UnknownName."""
    evaluator = VectorEvaluator(validation_seeds(score_seeds), engine, Settings().simulator_of)
    out: dict[str, dict[Tier, float]] = {}
    for policy in policies:
        for tier in Tier:
            watch(f"{policy} plays {tier}")
            means = evaluator.scores(policy, tier, lambda _count: None).mean()
            out.setdefault(policy, {})[tier] = float(means)
    return out
