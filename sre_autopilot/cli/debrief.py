"""`sre-autopilot debrief`: a postmortem of a record, and what would have been better."""

from base64 import b64encode
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre_autopilot.cli.errors import BadInput, bad_input
from sre_autopilot.cli.options import JsonOption
from sre_autopilot.cli.output import messages_console

if TYPE_CHECKING:
    from sre_autopilot.grading import EpisodeRecord


def command(
    record: Annotated[
        Path, typer.Argument(help="Record of an episode, JSON lines; of a folder the newest.")
    ],
    *,
    as_html: Annotated[bool, typer.Option("--html", help="Print a page with the picture.")] = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown (default).")
    ] = False,
    as_json: JsonOption = False,
    out: Annotated[Path | None, typer.Option(help="File to write (else standard output).")] = None,
    simulator_of: Annotated[
        str | None, typer.Option(help="Whose fitted parameters to replay with (else the record's).")
    ] = None,
) -> None:
    """Say what happened in the last episode of RECORD, and what would have been better, and when.

    Replays the episode in the simulator: up to ten seconds.

    Example:
      sre-autopilot debrief docs/examples/episode.jsonl
      sre-autopilot debrief runs/episode.jsonl --html --out postmortem.html
    """
    from sre_autopilot.cli.grade import newest, read
    from sre_autopilot.debrief.review import Format, review, written

    if as_html + as_markdown + as_json > 1:
        raise BadInput("--html, --markdown, --json: one of them")
    episode = read(newest(record))[-1].record
    with messages_console().status(f"replaying {len(episode.steps) - 1} steps in many futures"):
        made = review(episode, simulator_of)
    asked = {Format.HTML: as_html, Format.JSON: as_json}
    format_ = next((each for each, is_asked in asked.items() if is_asked), Format.MARKDOWN)
    picture = _picture(episode) if as_html else None
    text = written(episode, made, format_, picture)
    if out is None:
        typer.echo(text, nl=False)
        return
    with bad_input("--out"):
        out.write_text(text, encoding="utf-8")
    messages_console().print(f"{out}: {len(made.debrief.steps)} steps", markup=False)


def _picture(episode: "EpisodeRecord") -> str:
    """As an address that holds the picture itself."""
    from sre_autopilot.evaluation.plots.episode import DPI, draw

    content = BytesIO()
    draw(episode).savefig(content, dpi=DPI, format="png")
    return f"data:image/png;base64,{b64encode(content.getvalue()).decode('ascii')}"
