"""Policies x tiers x seeds on one backend: resumable, side by side, with intervals.

`python -m orchestrator.evaluate --help` tells the rest. Results are JSON lines, one an episode; an
episode that is in the file is not played again. Results of two world versions never mix.
"""

import os
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from scipy import stats

import grader
from orchestrator.backends import make_backend
from orchestrator.environment import Environment
from orchestrator.errors import SREError
from orchestrator.names import parse_tier
from orchestrator.play import play
from orchestrator.policies import load_policy
from orchestrator.settings import Settings
from services.mesh.draws import Stream
from services.mesh.vocabulary import DEFAULT_TIERS, WORLD_VERSION, Tier

DEFAULT_POLICIES = ("oracle", "runbook", "heuristic", "random")
TEST_SEEDS_FROM = 200_000
CONFIDENCE = 0.95
console = Console(stderr=True)


class Result(BaseModel):
    """One episode played and graded."""

    model_config = ConfigDict(frozen=True)

    world_version: str
    backend: str
    policy: str
    tier: Tier
    seed: int
    score: grader.Score
    duration_s: float


@dataclass(frozen=True, slots=True)
class Job:
    """One episode to play."""

    policy: str
    tier: Tier
    seed: int


def read_results(path: Path, backend: str) -> list[Result]:
    """Results of this backend and this world version; other versions' lines are left alone."""
    if not path.exists():
        return []
    results = [Result.model_validate_json(line) for line in path.read_text().splitlines() if line]
    return [r for r in results if r.backend == backend and r.world_version == WORLD_VERSION]


def missing(jobs: Sequence[Job], results: Sequence[Result]) -> list[Job]:
    """Jobs that no result answers."""
    played = {Job(r.policy, r.tier, r.seed) for r in results}
    return [job for job in jobs if job not in played]


class Meshes:
    """One environment a thread, all closed together."""

    def __init__(self, settings: Settings, record_dir: Path) -> None:
        self._settings = settings
        self._record_dir = record_dir
        self._local = threading.local()
        self._all: list[Environment] = []

    def play(self, job: Job) -> Result:
        """Plays one episode on this thread's mesh."""
        environment = self._environment()
        policy = load_policy(job.policy)
        record, score = play(environment, policy, job.tier, job.seed)
        return Result(
            world_version=WORLD_VERSION,
            backend=record.backend,
            policy=job.policy,
            tier=job.tier,
            seed=job.seed,
            score=score,
            duration_s=round(sum(step.duration_s or 0.0 for step in record.steps), 2),
        )

    def close(self) -> None:
        for environment in self._all:
            environment.close()

    def _environment(self) -> Environment:
        if not hasattr(self._local, "environment"):
            self._local.environment = Environment(
                make_backend(self._settings), record_dir=self._record_dir
            )
            self._all.append(self._local.environment)
        environment: Environment = self._local.environment
        return environment


def run(jobs: Sequence[Job], meshes: Meshes, width: int) -> Iterator[tuple[Job, Future[Result]]]:
    """Plays `jobs`, `width` at once; yields each as it ends."""
    with ThreadPoolExecutor(width, thread_name_prefix="mesh") as pool:
        futures = {pool.submit(meshes.play, job): job for job in jobs}
        try:
            for future in as_completed(futures):
                yield futures[future], future
        finally:
            pool.shutdown(cancel_futures=True)


def interval(scores: Sequence[float]) -> tuple[float, float]:
    """95 % bootstrap interval (percentile) of the mean; of one score, the score itself."""
    if len(set(scores)) == 1:
        return scores[0], scores[0]
    rng = np.random.default_rng(Stream.BOOTSTRAP)
    found = stats.bootstrap(
        (np.asarray(scores),), np.mean, confidence_level=CONFIDENCE, method="percentile", rng=rng
    ).confidence_interval
    return float(found.low), float(found.high)


def table(results: Sequence[Result]) -> Table:
    """Mean score, interval and share of recoveries by policy and tier."""
    cells: dict[tuple[str, Tier], list[Result]] = defaultdict(list)
    for result in results:
        cells[result.policy, result.tier].append(result)
    out = Table(title=f"scores, world version {WORLD_VERSION}")
    for column in ("policy", "tier", "episodes", "mean", "95 % interval", "recovered"):
        out.add_column(column)
    for (policy, tier), found in sorted(cells.items(), key=lambda cell: (cell[0][1], cell[0][0])):
        scores = [result.score.total for result in found]
        low, high = interval(scores)
        recovered = sum(result.score.recovered_at is not None for result in found)
        out.add_row(
            policy,
            tier,
            str(len(found)),
            f"{np.mean(scores):.3f}",
            f"{low:.3f} .. {high:.3f}",
            f"{recovered}/{len(found)}",
        )
    return out


def main(
    *,
    policies: Annotated[str, typer.Option(help="comma-separated, or module:Class")] = ",".join(
        DEFAULT_POLICIES
    ),
    tiers: Annotated[str, typer.Option(help="comma-separated")] = ",".join(DEFAULT_TIERS),
    seeds: Annotated[int, typer.Option(min=1, help="seeds a tier")] = 10,
    first_seed: Annotated[int, typer.Option(help="the first seed")] = TEST_SEEDS_FROM,
    meshes: Annotated[int, typer.Option(min=1, help="meshes side by side")] = 2,
    out: Annotated[Path, typer.Option(help="results, JSON lines")] = Path("runs/evaluate.jsonl"),
) -> None:
    """Plays every policy on every tier and seed that OUT does not hold yet, and prints a table."""
    settings = Settings.from_env(os.environ)
    try:
        names = [name for name in policies.split(",") if load_policy(name)]
        jobs = [
            Job(name, tier, first_seed + index)
            for index in range(seeds)
            for tier in map(parse_tier, tiers.split(","))
            for name in names
        ]
    except SREError as error:
        raise typer.BadParameter(str(error)) from error
    out.parent.mkdir(parents=True, exist_ok=True)
    failed = _play_missing(
        missing(jobs, read_results(out, settings.backend)), settings, out, meshes
    )
    wanted = set(jobs)
    results = [
        r for r in read_results(out, settings.backend) if Job(r.policy, r.tier, r.seed) in wanted
    ]
    Console().print(table(results))
    if failed:
        console.print(f"{failed} episodes failed; run the same command to play them again")
        raise typer.Exit(1)


def _play_missing(jobs: Sequence[Job], settings: Settings, out: Path, width: int) -> int:
    """Returns how many failed."""
    meshes = Meshes(settings, out.parent / "episodes")
    failed = 0
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        bar = progress.add_task("episodes", total=len(jobs))
        try:
            for job, future in run(jobs, meshes, width):
                progress.advance(bar)
                error = future.exception()
                if error is not None:
                    failed += 1
                    progress.console.print(f"{job}: {type(error).__name__}: {error}")
                    continue
                with out.open("a", encoding="ascii") as lines:
                    lines.write(future.result().model_dump_json() + "\n")
        finally:
            meshes.close()
    return failed


if __name__ == "__main__":
    typer.run(main)
