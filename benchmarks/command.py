"""What a backend costs on this machine: each figure with its spread, beside its bound.

A benchmark, not a test: machines are noisy, so it prints, and judges nothing but for the eye.
"""

import asyncio
import os
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.server import server_figures
from benchmarks.sessions import session_figures
from benchmarks.simulator import simulator_parts
from benchmarks.stack import stack_parts
from benchmarks.world import (
    Bounds,
    Part,
    Tree,
    episode_figures,
    lifecycle_figures,
    side_by_side_figures,
)
from orchestrator.backends import BACKENDS
from orchestrator.backends.docker.backend import DockerBackend
from orchestrator.backends.process.backend import ProcessBackend
from sre_autopilot.simulator.backend import SimulatorBackend

console = Console(stderr=True)


def process_parts(runs: int, meshes: int) -> list[Part]:
    bounds = Bounds(restart_s=0.3, reset_s=3, episode_s=20, memory_mb=400)
    return [
        Part(
            "launches and restarts",
            lambda: asyncio.run(lifecycle_figures(ProcessBackend(), runs, bounds)),
        ),
        Part(
            "episodes on one mesh",
            lambda: episode_figures(ProcessBackend, runs, bounds, Tree()),
        ),
        Part("episodes over HTTP", lambda: asyncio.run(server_figures(runs, meshes))),
        Part(f"episodes on {meshes} meshes", lambda: side_by_side_figures(runs, meshes)),
    ]


def main(
    backend: Annotated[str, typer.Option(help=f"one of {', '.join(BACKENDS)}")] = "process",
    runs: Annotated[int, typer.Option(min=1, help="repetitions of each measurement")] = 3,
    endurance: Annotated[
        int, typer.Option(min=0, help="docker: so many episodes in a row, and nothing else")
    ] = 0,
    meshes: Annotated[
        int, typer.Option(min=1, help="process: meshes at once, in the last part")
    ] = 2,
) -> None:
    """Measures, and prints a table: minimum, median and maximum of each figure."""
    if backend not in BACKENDS:
        raise typer.BadParameter(f"unknown backend {backend!r}; valid: {', '.join(BACKENDS)}")
    parts = {
        DockerBackend.name: lambda: stack_parts(runs, endurance),
        SimulatorBackend.name: lambda: [
            *simulator_parts(runs),
            Part("sessions on one server", lambda: asyncio.run(session_figures(runs))),
        ],
        ProcessBackend.name: lambda: process_parts(runs, meshes),
    }[backend]()
    table = Table(title=f"{backend} backend, {runs} runs, {os.cpu_count()} CPUs")
    for column in ("figure", "min", "median", "max", "unit", "bound"):
        table.add_column(column, justify="left" if column == "figure" else "right")
    for part in parts:
        with console.status(f"measuring {part.name} ..."):
            for figure in part.measure():
                table.add_row(*figure.row())
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
