"""Whether two worlds judge policies alike: scores of the same episodes, in pairs and in ranks.

Pure: scores in, numbers out.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sre_autopilot.evaluation.intervals import Estimate, paired_gap
from sre_autopilot.evaluation.results import Result
from sre_autopilot.evaluation.stats import mmrv, pearson, spearman
from sre_autopilot.simulator.calibration.recordings import Key, Recording
from sre_autopilot.world.vocabulary import Tier

HIGHEST_SCORE_GAP = 0.05

Scores = Mapping[Key, float]


@dataclass(frozen=True, slots=True)
class PolicyGap:
    """One policy in both worlds, over the episodes that both have; each with its interval.

    tier: the only one that is counted; None where all are pooled.
    """

    policy: str
    tier: Tier | None
    episodes: int
    real: Estimate
    sim: Estimate
    gap: Estimate

    @property
    def fails(self) -> bool:
        """Whether the mean gap is too wide, and its interval leaves 0 out."""
        certain = self.gap.low > 0.0 or self.gap.high < 0.0
        return certain and abs(self.gap.mean) > HIGHEST_SCORE_GAP


@dataclass(frozen=True, slots=True)
class Agreement:
    """How alike two worlds rank `ranked` means; correlations are nan where means do not vary."""

    ranked: int
    pearson: float
    spearman: float
    mmrv: float


def scores_of(played: Iterable[Recording | Result]) -> dict[Key, float]:
    """Scores by key; of a key that was played more than once, the mean."""
    grouped: dict[Key, list[float]] = defaultdict(list)
    for episode in played:
        grouped[Key(episode.policy, episode.tier, episode.seed)].append(episode.score)
    return {key: float(np.mean(scores)) for key, scores in grouped.items()}


def policy_gaps(real: Scores, sim: Scores, *, by_tier: bool = False) -> list[PolicyGap]:
    """A gap for each policy, on each tier if asked for, the best in the real world first."""
    keys: dict[tuple[str, Tier | None], list[Key]] = defaultdict(list)
    for key in sorted(real.keys() & sim.keys()):
        keys[key.policy, key.tier if by_tier else None].append(key)
    gaps = [
        _gap(policy, tier, [(real[key], sim[key]) for key in both])
        for (policy, tier), both in keys.items()
    ]
    return sorted(gaps, key=lambda gap: -gap.real.mean)


def _gap(policy: str, tier: Tier | None, pairs: Sequence[tuple[float, float]]) -> PolicyGap:
    real, sim = (list(scores) for scores in zip(*pairs, strict=True))
    return PolicyGap(
        policy, tier, len(pairs), Estimate.of(real), Estimate.of(sim), paired_gap(sim, real)
    )


def agreement(gaps: Sequence[PolicyGap]) -> Agreement:
    """Over the means of both worlds. Raises ValueError for no policy."""
    real, sim = [gap.real.mean for gap in gaps], [gap.sim.mean for gap in gaps]
    return Agreement(len(gaps), pearson(real, sim), spearman(real, sim), mmrv(real, sim))
