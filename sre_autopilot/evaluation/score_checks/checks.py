"""The checks that scores must pass to mean anything, and their verdicts.

A check holds where the whole 95 % interval of a mean keeps its limit, fails where nothing of the
interval does, and is otherwise inconclusive. Pure: scores in, verdicts out.
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from sre_autopilot.evaluation.intervals import Estimate, paired_gap
from sre_autopilot.evaluation.lane_outcomes import Floats
from sre_autopilot.policies.heuristic import Heuristic
from sre_autopilot.policies.oracle import Oracle
from sre_autopilot.policies.random import Random
from sre_autopilot.policies.runbook import Runbook
from sre_autopilot.policies.scripts import SWEEPS, TIER_SCRIPTS, Script, WaitOnly
from sre_autopilot.world.vocabulary import FAULTY_TIERS, Tier

ORACLE_AT_LEAST, BLIND_BELOW, TIER_SCRIPT_BELOW, ROOM_AT_LEAST = 0.85, 0.6, 0.7, 0.10
BLIND_SCRIPTS: tuple[type[Script], ...] = (WaitOnly, *SWEEPS)
"""They do the same on every tier, whichever fault there is."""
TIERS_WITH_ROOM = tuple(tier for tier in FAULTY_TIERS if tier is not Tier.EASY)
"""Tiers where the oracle must score clearly more than the runbook."""
SENSES: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {">=": operator.ge, ">": operator.gt, "<": operator.lt}
)


class Subject(NamedTuple):
    """The mean score of a policy on a tier, or that less another's on the same seeds."""

    policy: str
    tier: Tier
    less: str | None = None


class Verdict(StrEnum):
    HOLDS = "holds"
    FAILS = "fails"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Check:
    """A limit of a subject; `sense` is one of SENSES."""

    subject: Subject
    sense: str
    limit: float

    @property
    def statement(self) -> str:
        """The check in words, without its tier."""
        policy, _tier, less = self.subject
        what = f"{policy} - {less}" if less else policy
        return f"{what} {self.sense} {self.limit:g}"

    def verdict(self, estimate: Estimate) -> Verdict:
        kept = [SENSES[self.sense](end, self.limit) for end in (estimate.low, estimate.high)]
        if all(kept):
            return Verdict.HOLDS
        return Verdict.INCONCLUSIVE if any(kept) else Verdict.FAILS


CHECKS = (
    *(Check(Subject(Oracle.name, tier), ">=", ORACLE_AT_LEAST) for tier in FAULTY_TIERS),
    *(
        Check(Subject(Oracle.name, tier, Runbook.name), ">=", ROOM_AT_LEAST)
        for tier in TIERS_WITH_ROOM
    ),
    *(Check(Subject(Heuristic.name, tier, Random.name), ">", 0.0) for tier in FAULTY_TIERS),
    *(
        Check(Subject(script.name, tier), "<", BLIND_BELOW)
        for script in BLIND_SCRIPTS
        for tier in FAULTY_TIERS
    ),
    *(Check(Subject(script.name, script.tier), "<", TIER_SCRIPT_BELOW) for script in TIER_SCRIPTS),
)

Scores = Mapping[tuple[str, Tier], Floats]
"""By policy and tier; those of one tier are of the same seeds, in the same order."""
Estimates = Mapping[Subject, Estimate]


def estimates(scores: Scores) -> Iterator[tuple[Subject, Estimate]]:
    """Of every policy on every tier, and of every difference that a check is about."""
    for (policy, tier), sample in scores.items():
        yield Subject(policy, tier), Estimate.of(sample.tolist())
    for check in CHECKS:
        policy, tier, less = check.subject
        if less is not None and {(policy, tier), (less, tier)} <= scores.keys():
            pairs = scores[policy, tier].tolist(), scores[less, tier].tolist()
            yield check.subject, paired_gap(*pairs)


def verdicts(by_subject: Estimates) -> list[tuple[Check, Verdict]]:
    """A verdict for every check whose subject was played."""
    played = (check for check in CHECKS if check.subject in by_subject)
    return [(check, check.verdict(by_subject[check.subject])) for check in played]


def any_fails(by_subject: Estimates) -> bool:
    return any(verdict is Verdict.FAILS for _check, verdict in verdicts(by_subject))
