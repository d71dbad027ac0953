"""`sre-autopilot harbor`: task folders for Harbor."""

from pathlib import Path
from typing import Annotated

import typer

from sre_autopilot.cli.errors import BadInput, bad_input
from sre_autopilot.cli.options import listed, read_settings
from sre_autopilot.cli.output import results_console
from sre_autopilot.world.vocabulary import DEFAULT_TIERS


def command(
    out: Annotated[Path, typer.Argument(help="Folder of the tasks; new, or empty.")],
    *,
    split: Annotated[str, typer.Option(help="Of the seeds: train, validation, test.")] = "test",
    seeds: Annotated[int, typer.Option(min=1, help="Of the split, each on every tier.")] = 10,
    tiers: Annotated[str, typer.Option(help="Comma-separated.")] = ",".join(DEFAULT_TIERS),
    image: Annotated[str | None, typer.Option(help="Image of the environment.")] = None,
    backend: Annotated[
        str, typer.Option(help="What is played on in that image: process or simulator.")
    ] = "process",
) -> None:
    """Write a task folder for each episode, and which is which beside them.

    Needs SRE_SECRET, which names the folders and which `harbor run` needs, too: judged servers turn
    seeds into episodes by it. Make the image first, by `make image`.

    Example:
      sre-autopilot harbor runs/harbor --seeds 5 --tiers medium,hard
    """
    from sre_autopilot.adapters.harbor import IMAGE, INDEX, HarborOptions, write_tasks
    from sre_autopilot.adapters.tasks import tasks_of

    secret = read_settings().secret
    if secret is None:
        raise BadInput("SRE_SECRET is not set; valid: at least 16 characters, not to be guessed")
    with bad_input():
        tasks = tasks_of(split, seeds, listed(tiers))
        options = HarborOptions(secret.get_secret_value(), image or IMAGE, backend)
        write_tasks(out, tasks, options)
    text = f"{len(tasks)} tasks: {out}; {INDEX} says which is which"
    results_console().print(text, soft_wrap=True, markup=False)
