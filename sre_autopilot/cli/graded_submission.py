"""What `sre-autopilot grade --submission` does: checks, grades anew, and prints the place."""

from pathlib import Path

from rich import box
from rich.markup import escape
from rich.table import Table

from sre_autopilot.cli.errors import bad_input, on_interrupt
from sre_autopilot.cli.output import messages_console, print_json, results_console
from sre_autopilot.evaluation.ladder.document import WRITTEN_BY, Ladder
from sre_autopilot.evaluation.progress import progress_bar
from sre_autopilot.evaluation.submission.check import checked
from sre_autopilot.evaluation.submission.document import Submission
from sre_autopilot.evaluation.submission.place import COLUMNS, Place, places
from sre_autopilot.world.vocabulary import WORLD_VERSION


def grade_submission(path: Path, *, as_json: bool) -> None:
    """Raises BadInput for a submission that does not pass."""
    with bad_input():
        submission, ladder = Submission.read(path), Ladder.read()
        with (
            on_interrupt(lambda: "interrupted: nothing is said of the submission"),
            progress_bar(messages_console()) as progress,
        ):
            bar = progress.add_task("checking records", total=len(submission.episodes))
            results = checked(path, lambda: progress.advance(bar))
    placed = list(places(results, ladder))
    if as_json:
        head = submission.model_dump(mode="json", exclude={"episodes", "scores"})
        print_json({**head, "tiers": [place.as_json() for place in placed]})
        return
    results_console().print(_table(submission, placed))
    if submission.tokens is not None:
        tokens = submission.tokens / len(submission.episodes)
        results_console().print(f"{tokens:,.0f} tokens an episode, as the submission says")
    if ladder.world_version != WORLD_VERSION:
        messages_console().print(
            f"no place: the ladder is of world version {ladder.world_version}; "
            f"`{WRITTEN_BY}` plays it anew",
            markup=False,
        )


def _table(submission: Submission, placed: list[Place]) -> Table:
    title = f"{submission.policy} {submission.policy_version} on {submission.backend}"
    out = Table(title=escape(title), box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for column in COLUMNS:
        out.add_column(column, overflow="fold")
    for place in placed:
        out.add_row(*map(escape, place.row()))
    return out
