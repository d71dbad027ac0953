"""`sre-autopilot bench`: each figure with its spread, beside its bound.

A benchmark, not a test: machines are noisy, so it prints, and the reader compares.
"""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table

from sre_autopilot.cli.errors import on_interrupt
from sre_autopilot.cli.options import JsonOption, read_settings
from sre_autopilot.cli.output import messages_console, print_json, results_console

if TYPE_CHECKING:
    from benchmarks.figures import Figure

COLUMNS = ("figure", "min", "median", "max", "unit", "bound")


def command(
    *,
    backend: Annotated[
        str | None, typer.Option(help="process, docker or simulator (else SRE_BACKEND).")
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="Repetitions of each measurement.")] = 3,
    endurance: Annotated[
        int, typer.Option(min=0, help="docker: so many episodes in a row, and nothing else.")
    ] = 0,
    meshes: Annotated[
        int, typer.Option(min=1, help="process: meshes at once, in the last part.")
    ] = 2,
    crowd: Annotated[
        int, typer.Option(min=0, help="simulator: so many sessions at once, and nothing else.")
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Measure what a backend costs on this machine: times, memory, CPU, steps a second.

    Needs a checkout, and a machine with nothing else to do.

    Example:
      sre-autopilot bench --backend simulator
      sre-autopilot bench --backend simulator --crowd 1024 --runs 1
      sre-autopilot bench --runs 5 --json
    """
    name = read_settings(backend=backend).backend
    from benchmarks.parts import parts

    console = messages_console()
    figures: list[Figure] = []
    with on_interrupt(lambda: "interrupted; the figures of a benchmark are not kept"):
        for part in parts(name, runs, endurance=endurance, meshes=meshes, crowd=crowd):
            with console.status(f"measuring {part.name}"):
                figures += part.measure()
    if as_json:
        print_json({"backend": name, "runs": runs, "figures": [f.as_json() for f in figures]})
    else:
        title = f"{name} backend, {runs} runs, {os.cpu_count()} CPUs"
        results_console().print(table(title, figures))


def table(title: str, figures: Iterable["Figure"]) -> Table:
    """A row a figure: minimum, median, maximum, unit, bound."""
    out = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for column in COLUMNS:
        out.add_column(column, justify="left" if column == "figure" else "right")
    for figure in figures:
        out.add_row(*figure.row())
    return out
