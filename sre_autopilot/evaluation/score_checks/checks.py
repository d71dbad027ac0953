"""The bounds that scores must keep to mean anything, judged by intervals, and tables of both.

A bound holds where the whole 95 % interval of a mean keeps it, fails where nothing of the interval
does, and otherwise cannot be told. Pure: scores in, verdicts and text out.
"""

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from sre_autopilot.evaluation.intervals import Estimate, paired_gap
from sre_autopilot.evaluation.markdown import table
from sre_autopilot.evaluation.vector_play import Floats
from sre_autopilot.policies.heuristic import Heuristic
from sre_autopilot.policies.oracle import Oracle
from sre_autopilot.policies.random import Random
from sre_autopilot.policies.runbook import Runbook
from sre_autopilot.policies.scripts import SWEEPS, TIER_SCRIPTS, WAIT_ONLY
from sre_autopilot.world.vocabulary import FAULTY_TIERS, WORLD_VERSION, Tier

ORACLE_AT_LEAST, BLIND_BELOW, BY_HEART_BELOW, ROOM_AT_LEAST = 0.85, 0.6, 0.7, 0.10
OPEN_TIERS = tuple(tier for tier in FAULTY_TIERS if tier is not Tier.EASY)
"""Where there must be room between a runbook and knowing."""
HOME_TIERS = (Tier.MEDIUM, Tier.HARD, Tier.HARD)
"""The tier that each of TIER_SCRIPTS knows by heart."""
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
    OPEN = "cannot be told"


@dataclass(frozen=True, slots=True)
class Bound:
    """What must be so of a subject: `sense` is one of SENSES."""

    subject: Subject
    sense: str
    limit: float

    @property
    def claim(self) -> str:
        """The bound without its tier."""
        policy, _tier, less = self.subject
        who = f"{policy} - {less}" if less else policy
        return f"{who} {self.sense} {self.limit:g}"

    def verdict(self, found: Estimate) -> Verdict:
        kept = [SENSES[self.sense](end, self.limit) for end in (found.low, found.high)]
        return Verdict.HOLDS if all(kept) else Verdict.OPEN if any(kept) else Verdict.FAILS


BOUNDS = (
    *(Bound(Subject(Oracle.name, tier), ">=", ORACLE_AT_LEAST) for tier in FAULTY_TIERS),
    *(Bound(Subject(Oracle.name, tier, Runbook.name), ">=", ROOM_AT_LEAST) for tier in OPEN_TIERS),
    *(Bound(Subject(Heuristic.name, tier, Random.name), ">", 0.0) for tier in FAULTY_TIERS),
    *(
        Bound(Subject(script.name, tier), "<", BLIND_BELOW)
        for script in (WAIT_ONLY, *SWEEPS)
        for tier in FAULTY_TIERS
    ),
    *(
        Bound(Subject(script.name, tier), "<", BY_HEART_BELOW)
        for script, tier in zip(TIER_SCRIPTS, HOME_TIERS, strict=True)
    ),
)

Scores = Mapping[tuple[str, Tier], Floats]
"""By policy and tier; those of one tier are of the same seeds."""
Estimates = Mapping[Subject, Estimate]


def estimates(scores: Scores) -> Iterator[tuple[Subject, Estimate]]:
    """Of every policy on every tier, and of every difference that a bound is about."""
    for (policy, tier), found in scores.items():
        yield Subject(policy, tier), Estimate.of(found.tolist())
    for bound in BOUNDS:
        policy, tier, less = bound.subject
        if less is not None and {(policy, tier), (less, tier)} <= scores.keys():
            pairs = scores[policy, tier].tolist(), scores[less, tier].tolist()
            yield bound.subject, paired_gap(*pairs)


def judged(found: Estimates) -> list[tuple[Bound, Verdict]]:
    """Every bound whose subject was played."""
    played = (bound for bound in BOUNDS if bound.subject in found)
    return [(bound, bound.verdict(found[bound.subject])) for bound in played]


def score_rows(found: Estimates) -> Iterator[tuple[str, ...]]:
    """A policy, and its mean and interval on each tier played."""
    policies = dict.fromkeys(subject.policy for subject in found)
    for policy in policies:
        yield policy, *(_score(found.get(Subject(policy, tier))) for tier in tiers(found))


def bound_rows(found: Estimates) -> Iterator[tuple[str, ...]]:
    """A claim, and on each tier played the interval and the verdict."""
    claims: dict[str, dict[Tier, str]] = {}
    for bound, verdict in judged(found):
        told = f"{found[bound.subject].interval} {verdict}"
        claims.setdefault(bound.claim, {})[bound.subject.tier] = told
    for claim, by_tier in claims.items():
        yield claim, *(by_tier.get(tier, "-") for tier in tiers(found) if tier in FAULTY_TIERS)


def tiers(found: Estimates) -> list[Tier]:
    """Those played, in their order."""
    played = {subject.tier for subject in found}
    return [tier for tier in Tier if tier in played]


def summary(found: Estimates) -> str:
    """How many bounds hold, fail, and cannot be told."""
    verdicts = [verdict for _bound, verdict in judged(found)]
    hold, fail, open_ = (verdicts.count(verdict) for verdict in Verdict)
    return f"Of {len(verdicts)} bounds {hold} hold, {fail} fail, and {open_} cannot be told."


def _score(found: Estimate | None) -> str:
    return f"{found.mean:.3f} ({found.interval})" if found else "-"


def report(found: Estimates, seeds: Sequence[int], simulator_of: str) -> str:
    """The whole document."""
    played = tiers(found)
    return "\n".join(_parts(found, played, f"{min(seeds)} to {max(seeds)}", simulator_of))


def _parts(
    found: Estimates, played: Sequence[Tier], seeds: str, simulator_of: str
) -> Iterable[str]:
    yield f"""# Bounds

Whether scores mean what they should: policies on seeds {seeds} of each tier, in the simulator of
the {simulator_of} backend, world version {WORLD_VERSION}. Written by `make bounds`.

## Scores

Means, with their 95 % intervals (bootstrap).
"""
    yield table(("policy", *played), score_rows(found))
    yield """## What must be so

A bound holds where the whole interval keeps it, fails where nothing of the interval does, and
otherwise cannot be told. Differences are of the same seeds.
"""
    yield table(("bound", *(tier for tier in played if tier in FAULTY_TIERS)), bound_rows(found))
    yield summary(found) + "\n"
