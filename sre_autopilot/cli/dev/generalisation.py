"""`sre-autopilot dev generalisation`: policies in worlds that they were not made for."""

from pathlib import Path
from typing import Annotated

import typer

from sre_autopilot.cli.dev.ladder import WeightsOption, named_files, text_table
from sre_autopilot.cli.errors import bad_input, on_interrupt
from sre_autopilot.cli.options import listed
from sre_autopilot.cli.output import messages_console, results_console
from sre_autopilot.world.vocabulary import SEED_SPLITS


def command(
    *,
    policies: Annotated[
        str, typer.Option(help="Comma-separated: names or module:Class.")
    ] = "runbook,belief",
    weights: WeightsOption = None,
    seeds: Annotated[int, typer.Option(min=2, help="Seeds a tier.")] = 300,
    made_for: Annotated[
        str, typer.Option(help="The backend whose parameters the policies know.")
    ] = "process",
    other: Annotated[str, typer.Option(help="The backend whose parameters are new.")] = "docker",
    out: Annotated[Path | None, typer.Option(help="Page to write, Markdown.")] = None,
) -> None:
    """Score policies with another backend's parameters, twice the noise, and twice the traffic.

    Weights that were trained on some tiers are judged on the others in the same table.

    Example:
      sre-autopilot dev generalisation --weights learned=a.npz,b.npz --seeds 100
    """
    from sre_autopilot.evaluation.generalisation import COLUMNS, document, play, rows, worlds
    from sre_autopilot.evaluation.ladder.entrants import entrants
    from sre_autopilot.evaluation.progress import progress_bar
    from sre_autopilot.world.vocabulary import Tier

    played = SEED_SPLITS["test"][:seeds]
    with bad_input():
        names = [name for name in listed(policies) if name]
        entered = entrants(names, dict(map(named_files, weights or ())))
        by_name = worlds(made_for, other)
    trainings = sum(len(entrant.trainings) for entrant in entered)
    with (
        on_interrupt(lambda: "interrupted; nothing was written: run it again with fewer --seeds"),
        progress_bar(messages_console()) as progress,
    ):
        bar = progress.add_task("", total=len(by_name) * trainings * len(Tier) * len(played))
        scores = play(
            entered,
            by_name,
            played,
            lambda text, ended: progress.update(bar, description=text, advance=ended),
        )
    results_console().print(text_table(COLUMNS, rows(scores)))
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(document(scores, played), encoding="ascii")
