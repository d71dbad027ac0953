"""Makes the ladder: plays its policies in the simulator, and takes graded runs of real worlds."""

from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np
from rich.progress import Progress

from orchestrator.backends import BACKENDS
from sre_autopilot.evaluation.ladder.document import Ladder, Rung
from sre_autopilot.evaluation.ladder.entrants import STANDARD, Entrant, play
from sre_autopilot.evaluation.ladder.figures import THRESHOLDS, bound_on, rungs
from sre_autopilot.evaluation.ladder.samples import samples_of
from sre_autopilot.evaluation.many_seeds import Advance, VectorEvaluator
from sre_autopilot.evaluation.results import Result
from sre_autopilot.policies import POLICIES, load_policy
from sre_autopilot.simulator import NAME
from sre_autopilot.simulator.engines import NUMPY
from sre_autopilot.world.vocabulary import WORLD_VERSION, Tier

WORLDS = tuple(BACKENDS)
"""In this order, and others' behind them."""
DESCRIPTION_WIDTH = 36
"""Of a policy and a tier, so that the bar stands still."""


def make_ladder(
    entered: Sequence[Entrant],
    results: Iterable[Result],
    seeds: range,
    simulator_of: str,
    *,
    bound_seeds: int,
    progress: Progress,
) -> Ladder:
    """Every entrant on `seeds` of every tier in the simulator; of `results`, those of entrants and
    of STANDARD.

    bound_seeds: how many seeds the bound of the hard tier is computed on; 0 leaves it out.
    """
    names = {entrant.name for entrant in entered}
    tiers = tuple(Tier)
    trainings = sum(len(entrant.trainings) for entrant in entered)
    bar = progress.add_task("", total=trainings * len(tiers) * len(seeds) + bound_seeds)

    def watch(description: str, ended: int) -> None:
        progress.update(bar, description=description.ljust(DESCRIPTION_WIDTH), advance=ended)

    # NumPy: the policies take most of the time, and Numba may have to compile first.
    samples = play(entered, tiers, VectorEvaluator(seeds, NUMPY, simulator_of), watch)
    bounds = _bounds(seeds[:bound_seeds], partial(watch, "bound")) if bound_seeds else []
    watch("intervals", 0)
    real = samples_of(_of_real_worlds(results, names))
    made = rungs([*samples, *real], _references(entered))
    return Ladder(
        world_version=WORLD_VERSION,
        simulator_of=simulator_of,
        first_seed=seeds.start,
        thresholds=THRESHOLDS,
        rungs=(*bounds, *made),
        missing=tuple(name for name in STANDARD if name not in names),
    )


def with_real_worlds(ladder: Ladder, results: Iterable[Result]) -> Ladder:
    """`ladder` with the rungs of real worlds made anew, of `results`; the simulated ones stay."""
    simulated = ladder.of_world(NAME)
    names = {rung.policy for rung in simulated}
    references = {rung.policy for rung in simulated if rung.is_reference}
    made = rungs(samples_of(_of_real_worlds(results, names)), references)
    return ladder.model_copy(update={"rungs": (*simulated, *made)})


def _of_real_worlds(results: Iterable[Result], names: Iterable[str]) -> list[Result]:
    """Those of the ladder's policies, by world."""
    entered = {*names, *STANDARD}
    real = (r for r in results if r.policy in entered and r.backend != NAME)
    place = {world: number for number, world in enumerate(WORLDS)}
    return sorted(real, key=lambda result: place.get(result.backend, len(place)))


def _bounds(seeds: range, advance: Advance) -> list[Rung]:
    # SciPy, of the extra `eval`: who leaves the bound out does without.
    from sre_autopilot.evaluation.score_checks.hard_bound import BOUND, bounds  # noqa: PLC0415

    scores = np.array(bounds(seeds, advance))
    return [bound_on(NAME, Tier.HARD, BOUND, scores)]


def _references(entered: Iterable[Entrant]) -> set[str]:
    """Policies that read the truth."""
    shipped = {str(name) for name in POLICIES if load_policy(name).privileged}
    return shipped | {each.name for each in entered if each.trainings[0]().privileged}
