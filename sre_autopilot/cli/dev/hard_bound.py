"""`sre-autopilot dev hard-bound`: what no agent without the truth can exceed on hard."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sre_autopilot.cli.errors import on_interrupt
from sre_autopilot.evaluation.progress import progress_bar
from sre_autopilot.evaluation.run import TEST_SEEDS_FROM
from sre_autopilot.evaluation.score_checks import hard_bound


def command(
    *,
    seeds: Annotated[int, typer.Option(min=2, help="how many")] = 100,
    first_seed: Annotated[int, typer.Option(min=0, help="the first seed")] = TEST_SEEDS_FROM,
    out: Annotated[Path | None, typer.Option(help="report to write, Markdown")] = None,
) -> None:
    """Prints an upper bound on the score of the hard tier, beside policies on the same seeds.

    Example: sre-autopilot dev hard-bound --seeds 50
    """
    chosen = range(first_seed, first_seed + seeds)
    with (
        on_interrupt(lambda: "interrupted; nothing was kept: run it again with fewer --seeds"),
        progress_bar(Console(stderr=True)) as progress,
    ):
        estimates = hard_bound.estimates(chosen, progress)
    Console().print(hard_bound.terminal_table(estimates, chosen))
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(hard_bound.document(estimates, chosen), encoding="ascii")
