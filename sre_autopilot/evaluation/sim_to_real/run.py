"""Repeats recorded real episodes in the simulator, and reports how far apart the two are.

Real episodes are read from files, never played. The command is `sre-autopilot dev sim-to-real`.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Self

from rich.progress import Progress

from orchestrator.backends import make_backend
from orchestrator.backends.docker.backend import DockerBackend
from orchestrator.backends.process.backend import ProcessBackend
from orchestrator.environment import Environment
from orchestrator.settings import Settings
from sre_autopilot.evaluation.plots.sim_to_real import DPI, DRAWINGS
from sre_autopilot.evaluation.results import Result, read_results
from sre_autopilot.evaluation.sim_to_real import unfitted
from sre_autopilot.evaluation.sim_to_real.ablation import (
    DRAWS,
    FITTED,
    RANDOMISED,
    SETTINGS,
    UNFITTED,
    Simulated,
    setting,
)
from sre_autopilot.evaluation.sim_to_real.policies import policy_gaps, scores_of
from sre_autopilot.evaluation.sim_to_real.report import Comparison, report
from sre_autopilot.evaluation.sim_to_real.responses import responses
from sre_autopilot.evaluation.sim_to_real.windows import autocorrelations, distances_of
from sre_autopilot.policies import load_policy
from sre_autopilot.policies.play import play
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.simulator.calibration.recordings import Key, Recording, one_world, read
from sre_autopilot.world.vocabulary import WORLD_VERSION

REAL_BACKENDS = (ProcessBackend.name, DockerBackend.name)


@dataclass(frozen=True, slots=True)
class RealWorld:
    """What is recorded of a real backend.

    held_out: episodes that the simulator's parameters were not fitted to.
    fit: episodes that they were fitted to.
    results: graded episodes of which only the score was kept, and can be trusted.
    """

    backend: str
    held_out: Sequence[Recording]
    fit: Sequence[Recording]
    results: Sequence[Result]

    @classmethod
    def read(cls, backend: str, data: Path, results: Path) -> Self:
        """`data` holds BACKEND-heldout.npz and perhaps BACKEND-fit.npz, `results` BACKEND.jsonl.

        Raises OSError; ValueError for a broken file, and for episodes of another world.
        """
        held_out, fit = (data / f"{backend}-{part}.npz" for part in ("heldout", "fit"))
        return cls(
            backend=backend,
            held_out=_of_this_world(held_out, backend),
            fit=_of_this_world(fit, backend) if fit.exists() else [],
            results=[r for r in read_results(results / f"{backend}.jsonl", backend) if r.counts],
        )

    @property
    def keys(self) -> list[Key]:
        """All episodes to repeat in the simulator, each once."""
        fitted_to = [recording.key for recording in self.fit]
        return list(dict.fromkeys((*self.not_fitted, *fitted_to)))

    @property
    def not_fitted(self) -> list[Key]:
        """Episodes that the parameters were not fitted to."""
        graded = [Key(result.policy, result.tier, result.seed) for result in self.results]
        return list(dict.fromkeys((*(recording.key for recording in self.held_out), *graded)))


def _of_this_world(path: Path, backend: str) -> list[Recording]:
    recordings = read(path)
    try:
        world = one_world(recordings)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if world != (backend, WORLD_VERSION):
        raise ValueError(f"{path}: of {' '.join(world)}, not {backend} {WORLD_VERSION}")
    return recordings


def simulate(keys: Iterable[Key], environment: Environment) -> Iterator[Recording]:
    """Plays the episode of each key. Raises SREError."""
    for key in keys:
        record, _score = play(environment, load_policy(key.policy), key.tier, key.seed)
        yield Recording.of(record)


def compare(
    real: RealWorld,
    simulated: Simulated,
    ablated: Mapping[str, Sequence[Simulated]] = MappingProxyType({}),
) -> Comparison:
    """Everything that is reported; `simulated` may lack keys, which are then not compared.

    ablated: episodes of other simulators by name, each as often as it was drawn.
    """
    held_out = [recording for recording in real.held_out if recording.key in simulated]
    fit = [recording for recording in real.fit if recording.key in simulated]
    sim, sim_of_fit = _counterparts(held_out, simulated), _counterparts(fit, simulated)
    scores = {key: recording.score for key, recording in simulated.items()}
    scored = scores_of((*real.held_out, *real.results))
    worlds = {**ablated, FITTED: [simulated]}
    settings = (
        setting(name, held_out, scored, worlds[name]) for name in SETTINGS if name in worlds
    )
    return Comparison(
        backend=real.backend,
        real=held_out,
        sim=sim,
        distances=distances_of(held_out, sim),
        fitted=distances_of(fit, sim_of_fit),
        autocorrelations=autocorrelations(held_out, sim),
        responses_real=responses(held_out),
        responses_sim=responses(sim),
        policies=policy_gaps(scored, scores),
        policies_by_tier=policy_gaps(scored, scores, by_tier=True),
        ablation=[one for one in settings if one is not None] if ablated else [],
    )


def _counterparts(recordings: Iterable[Recording], simulated: Simulated) -> list[Recording]:
    """The simulated episode of each recorded one, so that repeated runs weigh alike in both."""
    return [simulated[recording.key] for recording in recordings]


def write(comparisons: Sequence[Comparison], out: Path, pictures: Path) -> None:
    """Draws each comparison into `pictures`, and writes the report that shows them."""
    out.parent.mkdir(parents=True, exist_ok=True)
    pictures.mkdir(parents=True, exist_ok=True)
    links: dict[tuple[str, str], str] = {}
    for comparison in comparisons:
        for what, draw in DRAWINGS.items():
            picture = pictures / f"sim-to-real-{comparison.backend}-{what}.png"
            draw(comparison).savefig(picture, dpi=DPI)
            link = Path(os.path.relpath(picture, out.parent)).as_posix()
            links[comparison.backend, what] = link
    out.write_text(report(comparisons, links), encoding="ascii")


def simulate_all(
    keys: Sequence[Key],
    new_environment: Callable[[], Environment],
    progress: Progress,
    description: str,
) -> Simulated:
    """Plays every key in one environment."""
    with new_environment() as environment:
        episodes = simulate(keys, environment)
        counted = progress.track(episodes, len(keys), description=description)
        return dict(zip(keys, counted, strict=True))


def simulator_of(backend: str) -> Environment:
    settings = Settings(backend=SimulatorBackend.name, simulator_of=backend)
    return Environment(make_backend(settings))


def unfitted_worlds(backend: str) -> Mapping[str, Sequence[Callable[[], Environment]]]:
    """Simulators that are not fitted to a real backend, each as often as it is drawn."""
    drawn = [partial(unfitted.randomised_world, backend, draw) for draw in range(DRAWS)]
    return {UNFITTED: [partial(unfitted.guessed_world, backend)], RANDOMISED: drawn}


def compare_all(backend: str, data: Path, results: Path, progress: Progress) -> Comparison:
    """Reads a real world, and repeats its episodes in the simulators of it.

    Raises OSError, ValueError, SREError.
    """
    real = RealWorld.read(backend, data, results)
    fitted = simulate_all(
        real.keys, partial(simulator_of, backend), progress, f"simulator of {backend}"
    )
    others = {
        name: [simulate_all(real.not_fitted, new, progress, f"the same, {name}") for new in worlds]
        for name, worlds in unfitted_worlds(backend).items()
    }
    return compare(real, fitted, others)
