"""Policies in worlds that they were not made for: other parameters, noise, traffic and hosts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from sre_autopilot.evaluation.intervals import Estimate, paired_gap
from sre_autopilot.evaluation.ladder.entrants import Entrant, Watch
from sre_autopilot.evaluation.many_seeds import VectorEvaluator
from sre_autopilot.evaluation.markdown import table
from sre_autopilot.evaluation.noisier import noisier
from sre_autopilot.policies import Policy
from sre_autopilot.simulator import parameters
from sre_autopilot.simulator.engines import NUMPY
from sre_autopilot.simulator.rules.window_arrays import Parameters
from sre_autopilot.world.vocabulary import WORLD_VERSION, Tier

FACTOR = 2.0
CPU_SCALE = 1.5
COLUMNS = ("world", "policy", *Tier)
DOCUMENT = """# Other worlds than those of the training

What policies score in simulated worlds that they were not made for, on {count} seeds a tier from
{first} on, world version {version}. Of the first world it is the mean with its interval; of the
others the mean, and the difference to the first on the same seeds with its interval. Written by
`make generalisation`.

{table}
- Other parameters: those fitted to another real backend.
- Twice the noise: of the metrics that the policy observes, deviations and losses; not of spans.
- Twice the traffic: twice the calls. Latency at rest stays as fitted; CPU follows the calls.
- A slower host: the same work takes {scale} times the CPU; a faster one: as many times less.
"""
Worlds = Mapping[str, "World"]
Scores = Mapping[tuple[str, str, Tier], list[float]]
"""By world, policy and tier: of every training after the other, in the order of the seeds."""


@dataclass(frozen=True, slots=True)
class World:
    """Parameters of a simulator, and what stands between it and a policy."""

    parameters: Parameters
    wrapped: Callable[[Callable[[], Policy]], Callable[[], Policy]] = lambda new_policy: new_policy


def worlds(made_for: str, other: str) -> Worlds:
    """The world that policies were made for, and then others; both names are of real backends.

    Raises UnknownName where the simulator is fitted to no such backend.
    """
    fitted = parameters.load(made_for)
    return {
        f"fitted to {made_for}": World(fitted),
        f"fitted to {other}": World(parameters.load(other)),
        "twice the noise": World(fitted, partial(noisier, factor=FACTOR)),
        "twice the traffic": World(fitted._replace(arrivals=FACTOR * fitted.arrivals)),
        "a slower host": World(parameters.on_host(fitted, CPU_SCALE)),
        "a faster host": World(parameters.on_host(fitted, 1.0 / CPU_SCALE)),
    }


def play(entered: Sequence[Entrant], by_name: Worlds, seeds: range, watch: Watch) -> Scores:
    """Every entrant in every world, on every tier and seed."""
    scores: dict[tuple[str, str, Tier], list[float]] = {}
    for name, world in by_name.items():
        evaluator = VectorEvaluator(seeds, NUMPY, world.parameters)
        for entrant in entered:
            for tier in Tier:
                advance = partial(watch, f"{name}, {entrant.name}, {tier}")
                scores[name, entrant.name, tier] = [
                    score
                    for new_policy in entrant.trainings
                    for score in evaluator.outcomes(
                        world.wrapped(new_policy), tier, advance
                    ).score.tolist()
                ]
    return scores


def rows(scores: Scores) -> Iterator[tuple[str, ...]]:
    """As COLUMNS."""
    names = list(dict.fromkeys(name for name, _policy, _tier in scores))
    policies = list(dict.fromkeys(policy for _name, policy, _tier in scores))
    for name in names:
        for policy in policies:
            home = [scores[names[0], policy, tier] for tier in Tier]
            here = [scores[name, policy, tier] for tier in Tier]
            if name == names[0]:
                cells = (f"{e.mean:.3f} ({e.interval})" for e in map(Estimate.of, home))
            else:
                cells = (_compared(*pair) for pair in zip(here, home, strict=True))
            yield (name, policy, *cells)


def _compared(here: Sequence[float], home: Sequence[float]) -> str:
    gap = paired_gap(here, home)
    return f"{sum(here) / len(here):.3f}, {gap.mean:+.3f} ({gap.signed_interval})"


def document(scores: Scores, seeds: range) -> str:
    """The page in Markdown."""
    return DOCUMENT.format(
        count=len(seeds),
        first=seeds.start,
        version=WORLD_VERSION,
        scale=CPU_SCALE,
        table=table(COLUMNS, rows(scores)),
    )
