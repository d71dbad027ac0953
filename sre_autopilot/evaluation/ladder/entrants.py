"""The entrants of the ladder: policies by name, and trained ones by their files of weights."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sre_autopilot.errors import InvalidValue
from sre_autopilot.evaluation.ladder.samples import Sample
from sre_autopilot.evaluation.many_seeds import VectorEvaluator
from sre_autopilot.policies import POLICIES, Policy, load_policy
from sre_autopilot.policies.learned import Learned
from sre_autopilot.policies.network import load
from sre_autopilot.simulator import NAME
from sre_autopilot.world.vocabulary import Tier

TERMINAL_ONLY = "learned-terminal-only"
STANDARD = ("random", "heuristic", "runbook", "belief", TERMINAL_ONLY, Learned.name, "oracle")
"""The names that the ladder should have; those that are not there are named below it."""
Watch = Callable[[str, int], None]
"""Called with what plays next, and how many episodes have ended since the last call."""


@dataclass(frozen=True, slots=True)
class Entrant:
    """A policy under a name; `trainings` make one each, the same policy trained again."""

    name: str
    trainings: Sequence[Callable[[], Policy]]


def standard_policies() -> tuple[str, ...]:
    """Those of STANDARD that are shipped."""
    return tuple(name for name in STANDARD if name in POLICIES)


def entrants(policies: Iterable[str], weights: Mapping[str, Sequence[Path]]) -> list[Entrant]:
    """weights: by name, a file for each training.

    Raises UnknownName for a policy, InvalidValue for a name or a file that comes twice, and for a
    file that does not fit this world.
    """
    by_name = {
        name: Entrant(name, (partial(load_policy, name),)) for name in policies if load_policy(name)
    }
    for name, files in weights.items():
        if name in by_name:
            raise InvalidValue("weights", name, "a name that no other policy has")
        trained = [(load(file).provenance.recipe, load(file).provenance.seed) for file in files]
        if len(set(trained)) < len(files):
            raise InvalidValue("weights", name, "files of different trainings, by recipe and seed")
        by_name[name] = Entrant(name, tuple(partial(learned_from, file) for file in files))
    return list(by_name.values())


def learned_from(file: Path) -> Policy:
    """The learned policy, by weights of its own."""
    policy = Learned()
    policy.weights = file
    return policy


def play(
    entered: Iterable[Entrant], tiers: Sequence[Tier], evaluator: VectorEvaluator, watch: Watch
) -> list[Sample]:
    """Plays every entrant on every tier in the simulator."""
    samples = []
    for entrant in entered:
        for tier in tiers:
            watch(f"{entrant.name}, {tier}", 0)
            trainings = [
                evaluator.outcomes(new_policy, tier, partial(watch, f"{entrant.name}, {tier}"))
                for new_policy in entrant.trainings
            ]
            samples.append(Sample(NAME, entrant.name, tier, trainings))
    return samples
