"""Policies x tiers x seeds on one backend: resumable, side by side, with intervals.

Results are JSON lines, one an episode; an episode that is in the file is not played again, unless
its policy has other weights now.
Results of two world versions never mix. An episode whose score cannot be trusted, because the
machine was too busy or the world broke, is played again, and left out of means if that fails too.
The command line is `sre-autopilot evaluate`.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, Self

from rich import box
from rich.console import Console
from rich.table import Table

from chaos.tiers import DrawFaults, draw_faults
from orchestrator.backends.base import Backend
from orchestrator.environment import Environment
from orchestrator.errors import BackendError
from sre_autopilot.evaluation.progress import progress_bar
from sre_autopilot.evaluation.results import (
    COLUMNS,
    INTERVAL_COLUMN,
    LEFT_OUT_COLUMN,
    Result,
    cells,
)
from sre_autopilot.policies import load_policy, weights_of
from sre_autopilot.policies.play import play
from sre_autopilot.world.vocabulary import SEED_SPLITS, WORLD_VERSION, Tier

DEFAULT_POLICIES = ("oracle", "runbook", "heuristic", "random")
MAX_PLAYS = 3
"""An episode that is contended or broken is played again, at most twice."""
TEST_SEEDS_FROM = SEED_SPLITS["test"].start
console = Console(stderr=True)


@dataclass(frozen=True, slots=True)
class Job:
    """One episode to play."""

    policy: str
    tier: Tier
    seed: int

    @classmethod
    def of(cls, result: Result) -> Self:
        """The one that a result is of."""
        return cls(result.policy, result.tier, result.seed)


def missing(jobs: Sequence[Job], results: Sequence[Result]) -> list[Job]:
    """Jobs that have no result yet, none that counts, or one of other weights."""
    played = {Job.of(result) for result in results if result.counts}
    outdated = {Job.of(result) for result in of_other_weights(jobs, results)}
    return [job for job in jobs if job not in played - outdated]


def of_other_weights(jobs: Sequence[Job], results: Sequence[Result]) -> list[Result]:
    """Results of these jobs whose policy played by other weights than it has now."""
    weights = {name: weights_of(load_policy(name)) for name in {job.policy for job in jobs}}
    asked = set(jobs)
    return [
        result
        for result in results
        if result.weights is not None
        and Job.of(result) in asked
        and result.weights != weights[result.policy]
    ]


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
        """Plays one episode on the mesh of the calling thread, up to MAX_PLAYS times until its
        score can be trusted; the result is that of the last time. Raises what that raised.
        """
        environment = self._environment()
        for plays in range(1, MAX_PLAYS + 1):
            policy = load_policy(job.policy)
            try:
                record, _score = play(environment, policy, job.tier, job.seed)
            except BackendError:
                if plays == MAX_PLAYS:
                    raise
                continue
            result = Result.of(record, job.policy, plays, weights_of(policy))
            if result.counts:
                break
        return result

    def close(self) -> None:
        for environment in self._all:
            environment.close()

    def _environment(self) -> Environment:
        if not hasattr(self._local, "environment"):
            self._local.environment = self._make()
            self._all.append(self._local.environment)
        environment: Environment = self._local.environment
        return environment


class Players(Protocol):
    """Where episodes are played: meshes of this process, or servers elsewhere."""

    def play(self, job: Job) -> Result:
        """Plays one episode; called by several threads at once."""
        ...

    def close(self) -> None:
        """Ends what `play` has begun and kept."""
        ...


def run(jobs: Sequence[Job], meshes: Players, width: int) -> Iterator[tuple[Job, Future[Result]]]:
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
    made = cells(results)
    left_out = any(cell.left_out for cell in made)
    for column in (*COLUMNS, *[LEFT_OUT_COLUMN] * left_out):
        out.add_column(column, no_wrap=column == INTERVAL_COLUMN, overflow="fold")
    for cell in made:
        out.add_row(*cell.row(), *[str(cell.left_out)] * left_out)
    return out


def replay_text(results: Sequence[Result]) -> str:
    """How many scores could not be trusted at first, and what became of them; empty for none."""
    again = [result for result in results if result.plays > 1 or not result.counts]
    if not again:
        return ""
    left_out = [result for result in again if not result.counts]
    episodes = ", ".join(f"{r.policy} {r.tier} {r.seed} ({r.validity})" for r in left_out)
    return (
        f"{len(again)} of {len(results)} episodes were played again, as the machine was too busy "
        f"or the world broke; {len(left_out)} are left out of the means"
        + (f": {episodes}" if left_out else "")
    )


def play_all(jobs: Sequence[Job], meshes: Players, out: Path, *, width: int) -> int:
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
