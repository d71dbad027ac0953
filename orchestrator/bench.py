"""What the process backend costs on this machine: each figure with its spread, beside its bound.

A benchmark, not a test: machines are noisy, so it prints, and judges nothing but for the eye.
"""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.table import Table

from grader import EpisodeRecord
from models import SREAction
from orchestrator.backends.base import Backend
from orchestrator.backends.process.backend import STEP_SECONDS, ProcessBackend
from orchestrator.bench_server import server_figures
from orchestrator.environment import Environment
from orchestrator.figures import MIB, Figure, sla_met_pct
from orchestrator.play import play
from orchestrator.policies import load_policy
from services.mesh.deployment import initial_deployment
from services.mesh.topology import Service
from services.mesh.vocabulary import ActionName, Tier

WAIT = SREAction(action=ActionName.WAIT)
console = Console(stderr=True)


async def lifecycle_figures(backend: Backend, runs: int) -> list[Figure]:
    """Launches from a warm zygote, and restarts of each service."""
    launches, restarts = [], []
    await backend.launch(0)
    for run in range(runs):
        began = time.perf_counter()
        await backend.launch(run)
        launches.append(time.perf_counter() - began)
    for replica in [r.id for r in initial_deployment()] * runs:
        began = time.perf_counter()
        await backend.restart(replica)
        await backend.ready(frozenset({replica}))
        restarts.append(time.perf_counter() - began)
    await backend.aclose()
    return [
        Figure("seven services ready, warm zygote", "s", "<= 2", launches),
        Figure("restart to serving", "s", "<= 0.3", restarts),
    ]


def episode_figures(runs: int) -> list[Figure]:
    """Healthy episodes on one mesh: reset, steps, memory, CPU, and how well it is at rest."""
    resets, whole, over, memory, cores = [], [], [], [], []
    records = []
    with Environment(ProcessBackend) as environment:
        for run in range(runs):
            began = time.perf_counter()
            environment.reset(seed=run, task_tier=Tier.CONTROL)
            resets.append(time.perf_counter() - began)
            began_steps, busy = time.perf_counter(), _tree_cpu_s()
            while not environment.step(WAIT).done:
                pass
            ended = time.perf_counter()
            cores.append((_tree_cpu_s() - busy) / (ended - began_steps))
            whole.append(ended - began)
            memory.append(_tree_pss_mb())
            records.append(environment.hidden_state())
            over += [100 * (s.duration_s or 0.0) / STEP_SECONDS - 100 for s in records[-1].steps]
    return [
        Figure("reset, its window included", "s", "<= 3", resets),
        Figure("step beyond its window", "% of it", "<= 20", over),
        Figure("30-step episode, reset included", "s", "<= 20", whole),
        Figure("memory of one mesh (PSS)", "MiB", "<= 400", memory),
        Figure("CPU of one mesh and its orchestrator", "cores", "", cores),
        Figure("control SLA met, one mesh", "% of windows", ">= 99", sla_met_pct(records)),
        *rest_latency(records),
    ]


def side_by_side_figures(runs: int, width: int) -> list[Figure]:
    """Healthy episodes on `width` meshes at once."""

    def on_one_mesh(mesh: int) -> list[EpisodeRecord]:
        with Environment(ProcessBackend) as environment:
            return [
                play(environment, load_policy(ActionName.WAIT), Tier.CONTROL, 100 * mesh + run)[0]
                for run in range(runs)
            ]

    with ThreadPoolExecutor(width) as pool:
        records = [record for played in pool.map(on_one_mesh, range(width)) for record in played]
    name = f"control SLA met, {width} meshes at once"
    return [Figure(name, "% of windows", ">= 99", sla_met_pct(records))]


def rest_latency(records: Sequence[EpisodeRecord]) -> list[Figure]:
    """Windowed p99 of each service at rest, all windows of all episodes."""
    return [
        Figure(f"p99 at rest: {service}", "ms", "median < 100", values)
        for service in Service
        if (
            values := [
                p99
                for record in records
                for step in record.steps[1:]
                if (p99 := step.true[service].latency_p99) is not None
            ]
        )
    ]


def _tree_pss_mb() -> float:
    """Memory of the zygote and its children; shared pages are counted once."""
    children = psutil.Process().children(recursive=True)
    return float(sum(child.memory_full_info().pss for child in children)) / MIB


def _tree_cpu_s() -> float:
    """CPU seconds of this process and of all that it started and that still runs."""
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    return float(sum(sum(process.cpu_times()[:2]) for process in processes))


def main(
    runs: Annotated[int, typer.Option(min=1, help="repetitions of each measurement")] = 3,
    meshes: Annotated[int, typer.Option(min=1, help="meshes at once, in the last part")] = 2,
) -> None:
    """Measures, and prints a table: minimum, median and maximum of each figure."""
    parts: tuple[tuple[str, Callable[[], list[Figure]]], ...] = (
        ("launches and restarts", lambda: asyncio.run(lifecycle_figures(ProcessBackend(), runs))),
        ("episodes on one mesh", lambda: episode_figures(runs)),
        ("episodes over HTTP", lambda: asyncio.run(server_figures(runs, meshes))),
        (f"episodes on {meshes} meshes", lambda: side_by_side_figures(runs, meshes)),
    )
    table = Table(title=f"process backend, {runs} runs, {os.cpu_count()} CPUs")
    for column in ("figure", "min", "median", "max", "unit", "bound"):
        table.add_column(column, justify="left" if column == "figure" else "right")
    for name, measure in parts:
        with console.status(f"measuring {name} ..."):
            for figure in measure():
                table.add_row(*figure.row())
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
