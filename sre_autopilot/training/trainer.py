"""One training from its first sample to its weights: plays, updates, scores, checkpoints, logs.

A run's folder holds `checkpoint.pt`, `weights.npz` (the policy so far), `scores.jsonl` (a line each
time it was scored) and, where tensorboard is installed, its event files. The weights that are kept
are the last ones: to pick the best of many by their scores would overstate them.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from sre_autopilot.policies.network import Network, Provenance, save
from sre_autopilot.training.checkpoint import Checkpoint
from sre_autopilot.training.commit import current_commit
from sre_autopilot.training.experience import Lanes
from sre_autopilot.training.ppo import Ppo
from sre_autopilot.training.recipe import Recipe
from sre_autopilot.training.scoring import scores, validation_seeds
from sre_autopilot.world.vocabulary import WORLD_VERSION, Tier

WEIGHTS, SCORES = "weights.npz", "scores.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A training: the text of its recipe, what it says, and where it goes.

    scored_times: how often the policy plays the validation seeds, `score_seeds` a tier; the last
        time is the end. threads: of torch.
    """

    text: str
    recipe: Recipe
    seed: int
    folder: Path
    engine: str | None = None
    scored_times: int = 10
    score_seeds: int = 300
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Progress:
    """After an update; scores: of each tier where it was scored just now."""

    samples: int
    updates: int
    cpu_s: float
    losses: dict[str, float]
    scores: dict[str, float] | None


Watch = Callable[[Progress], None]


def train(job: Job, watch: Watch, resumed: Checkpoint | None = None) -> Network:
    """The trained policy, which is also in the job's folder.

    watch: called after each update. resumed: where an earlier run of the same job stopped. Lanes
    begin new episodes then, so that a resumed training plays others than one without a break.
    """
    torch.set_num_threads(job.threads)
    job.folder.mkdir(parents=True, exist_ok=True)
    recipe, ppo = job.recipe, Ppo(job.recipe, job.seed)
    done, earlier_s = 0, 0.0
    if resumed is not None:
        done, earlier_s = resumed.updates, resumed.cpu_s
        ppo.networks.load_state_dict(resumed.networks)
        ppo.optimizer.load_state_dict(resumed.optimizer)
        torch.set_rng_state(resumed.draws)
    started_s = time.process_time() - earlier_s
    # An episode takes a step at least: no more than so many were begun in a lane.
    lanes = Lanes(recipe, job.seed, job.engine, first_episode=2 * done * recipe.horizon)
    network = _network(job, ppo, done, earlier_s)
    with _event_log(job.folder) as log:
        for update in range(done + 1, recipe.updates + 1):
            lanes.begin_update(update / recipe.updates)
            losses = ppo.update(lanes.play(ppo.act), (update - 1) / recipe.updates)
            cpu_s = time.process_time() - started_s
            means = None
            if _is_scored(update, job):
                network = _scored(_network(job, ppo, update, cpu_s), job)
                means = network.provenance.scores
                _keep(job, ppo, network, update)
            progress = Progress(
                update * recipe.lanes * recipe.horizon, update, cpu_s, losses, means
            )
            log(progress)
            watch(progress)
    return network


def _is_scored(update: int, job: Job) -> bool:
    total = job.recipe.updates
    return update * job.scored_times // total > (update - 1) * job.scored_times // total


def _network(job: Job, ppo: Ppo, update: int, cpu_s: float) -> Network:
    samples = update * job.recipe.lanes * job.recipe.horizon
    provenance = Provenance(
        world_version=WORLD_VERSION,
        commit=current_commit(),
        recipe=job.text,
        seed=job.seed,
        samples=samples,
        cpu_s=round(cpu_s, 1),
        scores={},
    )
    return Network(ppo.networks.arrays(), provenance)


def _scored(network: Network, job: Job) -> Network:
    seeds = validation_seeds(job.score_seeds)
    means = {str(tier): float(scores(network, tier, seeds, job.engine).mean()) for tier in Tier}
    return replace(network, provenance=replace(network.provenance, scores=means))


def _keep(job: Job, ppo: Ppo, network: Network, update: int) -> None:
    provenance = network.provenance
    Checkpoint(
        world_version=WORLD_VERSION,
        recipe=job.text,
        samples=job.recipe.samples,
        seed=job.seed,
        updates=update,
        cpu_s=provenance.cpu_s,
        networks=ppo.networks.state_dict(),
        optimizer=ppo.optimizer.state_dict(),
        draws=torch.get_rng_state(),
    ).save(job.folder)
    save(network, job.folder / WEIGHTS)
    line = {
        "seed": provenance.seed,
        "samples": provenance.samples,
        "cpu_s": provenance.cpu_s,
        "scores": provenance.scores,
    }
    with (job.folder / SCORES).open("a", encoding="ascii") as lines:
        lines.write(json.dumps(line) + "\n")


@contextmanager
def _event_log(folder: Path) -> Iterator[Callable[[Progress], None]]:
    """Writes progress to event files of TensorBoard, where it is installed."""
    if find_spec("tensorboard") is None:
        yield lambda _progress: None
        return
    # Imported late: it takes a second, and a training does without it.
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415

    writer: Any = SummaryWriter(str(folder))

    def log(progress: Progress) -> None:
        for name, value in progress.losses.items():
            writer.add_scalar(f"loss/{name}", value, progress.samples)
        for name, value in (progress.scores or {}).items():
            writer.add_scalar(f"score/{name}", value, progress.samples)

    try:
        yield log
    finally:
        writer.close()
