"""`sre-autopilot dev ladder`: every policy on every tier and world, with intervals."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.table import Table

from sre_autopilot.cli.errors import BadInput, bad_input, on_interrupt
from sre_autopilot.cli.options import listed
from sre_autopilot.cli.output import messages_console, results_console
from sre_autopilot.world.vocabulary import SEED_SPLITS

BOUND_SEEDS = 100
WeightsOption = Annotated[
    list[str] | None,
    typer.Option(help="NAME=FILE,FILE: a learned policy, a file of weights a training."),
]


def command(
    *,
    policies: Annotated[
        str, typer.Option(help="Comma-separated: names or module:Class (else the usual ones).")
    ] = "",
    weights: WeightsOption = None,
    seeds: Annotated[int, typer.Option(min=2, help="Simulated seeds a tier.")] = 1000,
    bound_seeds: Annotated[
        int, typer.Option(min=0, help="Seeds of the bound on hard; 0 leaves it out.")
    ] = BOUND_SEEDS,
    results: Annotated[
        Path, typer.Option(help="Folder of graded runs on real worlds, *.jsonl.")
    ] = Path("docs/results"),
    simulator_of: Annotated[
        str, typer.Option(help="The real backend that the simulator is fitted to.")
    ] = "process",
    real_only: Annotated[
        bool, typer.Option("--real-only", help="Keep simulated figures; play nothing.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Figures to write (else those of docs/benchmark.md).")
    ] = None,
) -> None:
    """Play the ladder in the simulator, and set it beside graded runs on real worlds.

    Without --out, the figures are those that docs/benchmark.md and `grade --submission` read, and
    the page is written anew, which needs a checkout. The same command gives the same figures.
    With --real-only, new runs on real worlds are read, and the simulated figures stay.

    Example:
      sre-autopilot dev ladder --weights learned=a.npz,b.npz,c.npz
      sre-autopilot dev ladder --policies runbook,mine:Policy --out ladder.json
    """
    from sre_autopilot.evaluation.ladder import report
    from sre_autopilot.evaluation.ladder.document import LADDER, Ladder
    from sre_autopilot.evaluation.ladder.entrants import entrants, standard_policies
    from sre_autopilot.evaluation.ladder.make import make_ladder, with_real_worlds
    from sre_autopilot.evaluation.progress import progress_bar
    from sre_autopilot.evaluation.results import read_results

    trained = dict(map(named_files, weights or ()))
    usual = (name for name in standard_policies() if name not in trained)
    with bad_input():
        if real_only and (policies or trained):
            raise BadInput("--real-only: plays nothing; leave --policies and --weights out")
        entered = [] if real_only else entrants(listed(policies) if policies else usual, trained)
        real = [each for file in sorted(results.glob("*.jsonl")) for each in read_results(file)]
        kept = Ladder.read(out or LADDER) if real_only else None
    with (
        on_interrupt(lambda: "interrupted; nothing was written: run it again with fewer --seeds"),
        progress_bar(messages_console()) as progress,
    ):
        if kept is not None:
            ladder = with_real_worlds(kept, real)
        else:
            ladder = make_ladder(
                entered,
                real,
                SEED_SPLITS["test"][:seeds],
                simulator_of,
                bound_seeds=bound_seeds,
                progress=progress,
            )
    ladder.write(LADDER if out is None else out)
    results_console().print(text_table(report.SCORE_COLUMNS, report.score_rows(ladder.rungs)))
    if out is None:
        from tools import documents

        documents.main()


def named_files(text: str) -> tuple[str, list[Path]]:
    """NAME=FILE,FILE. Raises BadInput."""
    name, equals, files = text.partition("=")
    if not (name and equals and files):
        raise BadInput(f"--weights {text}: must be NAME=FILE, or NAME=FILE,FILE")
    return name, [Path(file) for file in files.split(",")]


def text_table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Table:
    """For a terminal."""
    out = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for row in rows:
        out.add_row(*row)
    return out
