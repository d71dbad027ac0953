"""Policies x tiers x seeds on one backend: resumable, side by side, with intervals.

Results are JSON lines, one an episode; an episode that is in the file is not played again.
Results of two world versions never mix. The command line is `sre-autopilot evaluate`.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from chaos.tiers import DrawFaults, draw_faults
from orchestrator.backends.base import Backend
from orchestrator.environment import Environment
from sre_autopilot.evaluation.progress import progress_bar
from sre_autopilot.evaluation.results import COLUMNS, INTERVAL_COLUMN, Result, cells
from sre_autopilot.policies import load_policy
from sre_autopilot.policies.play import play
from sre_autopilot.world.vocabulary import SEED_SPLITS, WORLD_VERSION, Tier

DEFAULT_POLICIES = ("oracle", "runbook", "heuristic", "random")
TEST_SEEDS_FROM = SEED_SPLITS["test"].start
console = Console(stderr=True)


@dataclass(frozen=True, slots=True)
class Job:
    """One episode to play."""

    policy: str
    tier: Tier
    seed: int


def missing(jobs: Sequence[Job], results: Sequence[Result]) -> list[Job]:
    """Jobs that have no result yet."""
    played = {Job(r.policy, r.tier, r.seed) for r in results}
    return [job for job in jobs if job not in played]


class Meshes:
    """One environment a thread, made when the thread plays its first job; all closed together."""

    def __init__(
        self,
        backend: Callable[[], Backend],
        record_dir: Path | None,
        draw_faults: DrawFaults = draw_faults,
    ) -> None:
        self._make = partial(Environment, backend, draw_faults, record_dir)
        self._local = threading.local()
        self._all: list[Environment] = []

    def play(self, job: Job) -> Result:
        """Plays one episode on the mesh of the calling thread."""
        environment = self._environment()
        policy = load_policy(job.policy)
        record, _score = play(environment, policy, job.tier, job.seed)
        return Result.of(record, job.policy)

    def close(self) -> None:
        for environment in self._all:
            environment.close()

    def _environment(self) -> Environment:
        if not hasattr(self._local, "environment"):
            self._local.environment = self._make()
            self._all.append(self._local.environment)
        environment: Environment = self._local.environment
        return environment


def run(jobs: Sequence[Job], meshes: Meshes, width: int) -> Iterator[tuple[Job, Future[Result]]]:
    """Plays `jobs`, `width` at once; yields each with its result as it ends.

    Jobs that have not begun are dropped when the caller stops early.
    """
    with ThreadPoolExecutor(width, thread_name_prefix="mesh") as pool:
        futures = {pool.submit(meshes.play, job): job for job in jobs}
        try:
            for future in as_completed(futures):
                yield futures[future], future
        finally:
            pool.shutdown(cancel_futures=True)


def table(results: Sequence[Result]) -> Table:
    """Mean score, interval and share of recoveries by policy and tier; fits in 80 columns."""
    out = Table(
        title=f"scores, world version {WORLD_VERSION}",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    for column in COLUMNS:
        out.add_column(column, no_wrap=column == INTERVAL_COLUMN, overflow="fold")
    for cell in cells(results):
        out.add_row(*cell.row())
    return out


def play_all(jobs: Sequence[Job], meshes: Meshes, out: Path, *, width: int) -> int:
    """Plays `jobs`, appends their results to `out`, closes the meshes; returns how many failed."""
    failed = 0
    with progress_bar(console) as progress:
        bar = progress.add_task("episodes", total=len(jobs))
        try:
            for job, future in run(jobs, meshes, width):
                progress.advance(bar)
                error = future.exception()
                if error is not None:
                    failed += 1
                    progress.console.print(f"{job}: {type(error).__name__}: {error}", markup=False)
                    continue
                with out.open("a", encoding="ascii") as lines:
                    lines.write(future.result().model_dump_json() + "\n")
        finally:
            meshes.close()
    return failed
