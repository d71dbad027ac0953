"""`sre-autopilot dev plot-episode`: a picture of a recorded episode."""

from pathlib import Path
from typing import Annotated

import typer

from sre_autopilot.cli.errors import BadInput, bad_input
from sre_autopilot.cli.output import messages_console
from sre_autopilot.evaluation.plots.episode import DPI, draw
from sre_autopilot.grading import read_episodes


def command(
    run: Annotated[Path, typer.Argument(help="Record of an episode, JSON lines.")],
    out: Annotated[Path, typer.Option(help="Picture to write.")] = Path("episode.png"),
) -> None:
    """Draw the last episode of RUN into OUT.

    Example:
      sre-autopilot dev plot-episode docs/examples/episode.jsonl --out episode.png
    """
    with bad_input(str(run)):
        records = list(read_episodes(run.read_text(encoding="ascii").splitlines()))
    if not records:
        raise BadInput(f"{run}: holds no episode")
    draw(records[-1]).savefig(out, dpi=DPI)
    messages_console().print(f"{out}: {len(records[-1].steps)} windows", markup=False)
