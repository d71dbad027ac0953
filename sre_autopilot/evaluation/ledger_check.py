"""Whether debriefs add up: scores as values, regrets and luck, over many simulated records."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

from orchestrator.environment import Environment
from sre_autopilot.debrief.ledger import Judged, standard_error
from sre_autopilot.debrief.replay import replay
from sre_autopilot.debrief.report import TRUTH_FUTURES
from sre_autopilot.debrief.values import judge_by_truth
from sre_autopilot.evaluation.intervals import Estimate
from sre_autopilot.policies import load_policy
from sre_autopilot.policies.play import play
from sre_autopilot.world.vocabulary import Tier

COLUMNS = ("policy", "records", "mean regret", "without regret", "mean luck", "largest gap")
EXACT = 1e-9
"""Largest difference of the two sides of the sum that rounding explains."""
ERRORS = 2.0
"""A regret of so many standard errors at most is none."""


class CheckedLedger(NamedTuple):
    """One record, the truth known. gap: between both sides of the sum. regret, luck: their means
    over futures. error: standard error of the regret.
    """

    policy: str
    gap: float
    regret: float
    error: float
    luck: float

    @property
    def is_without_regret(self) -> bool:
        return self.regret <= ERRORS * self.error

    @classmethod
    def of(cls, policy: str, judged: Judged) -> "CheckedLedger":
        regrets, luck = judged.regret.sum(axis=0), judged.luck.sum(axis=0)
        total = judged.value[0].mean() - regrets.mean() + luck.mean()
        gap = abs(float(total) - judged.reached)
        error = float(standard_error(regrets))
        return cls(policy, gap, float(regrets.mean()), error, float(luck.mean()))


def check(
    environment: Environment,
    policies: Sequence[str],
    seeds: Sequence[int],
    futures: int = TRUTH_FUTURES,
) -> Iterator[CheckedLedger]:
    """Every policy on every tier and seed: played, replayed, and valued with the truth known."""
    for tier, seed, policy in product(Tier, seeds, policies):
        record, _score = play(environment, load_policy(policy), tier, seed)
        yield CheckedLedger.of(policy, judge_by_truth(replay(record), futures))


def rows(ledgers: Iterable[CheckedLedger]) -> Iterator[tuple[str, ...]]:
    """As COLUMNS, a row a policy."""
    for policy, of_policy in _by_policy(ledgers).items():
        luck = Estimate.of([each.luck for each in of_policy])
        yield (
            policy,
            str(len(of_policy)),
            f"{np.mean([each.regret for each in of_policy]):.3f}",
            f"{sum(each.is_without_regret for each in of_policy)} of {len(of_policy)}",
            f"{luck.mean:+.3f} ({luck.signed_interval})",
            f"{max(each.gap for each in of_policy):.1e}",
        )


def failures(ledgers: Sequence[CheckedLedger], oracle: str, random: str) -> Iterator[str]:
    """What does not hold: every sum, no regret of the oracle's on average, the most of random's."""
    if any(each.gap > EXACT for each in ledgers):
        yield f"a score differs from its sum by {max(each.gap for each in ledgers):.1e}"
    by_policy = _by_policy(ledgers)
    means = {name: np.mean([each.regret for each in of]) for name, of in by_policy.items()}
    if oracle in by_policy:
        errors = np.array([each.error for each in by_policy[oracle]])
        if means[oracle] > ERRORS * np.sqrt(np.mean(errors**2)):
            yield f"{oracle} regrets {means[oracle]:.4f} on average"
    if random in by_policy and means[random] < max(means.values()):
        yield f"{random} does not regret the most"


def _by_policy(ledgers: Iterable[CheckedLedger]) -> dict[str, list[CheckedLedger]]:
    by_policy: dict[str, list[CheckedLedger]] = {}
    for each in ledgers:
        by_policy.setdefault(each.policy, []).append(each)
    return by_policy
