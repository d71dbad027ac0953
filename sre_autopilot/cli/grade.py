"""`sre-autopilot grade`: grades recorded episodes again, from the truth that they hold."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from sre_autopilot import grading
from sre_autopilot.cli.errors import FAILED, BadInput
from sre_autopilot.cli.options import JsonOption
from sre_autopilot.cli.output import TEXT_WIDTH, messages_console, print_json, results_console
from sre_autopilot.cli.screen import episode_summary

SAME = 1e-9
"""Largest difference between equal scores: JSON keeps every digit of a float."""
COLUMNS = ("tier", "seed", "policy", "score", *grading.WEIGHTS, "recovered")
MARK = "*"
"""Stands behind a score that cannot be trusted; the notes say why."""


class GradedEpisode(NamedTuple):
    """An episode of a file, and the score that comes out now."""

    file: Path
    record: grading.EpisodeRecord
    score: grading.Score

    def notes(self) -> Iterator[str]:
        """What a reader of the score should know."""
        yield from self.record.caveats
        if not self.agrees:
            yield f"the score stored in the record is {self.record.score}"

    @property
    def agrees(self) -> bool:
        """Whether the stored score, if any, is the one that comes out now."""
        stored = self.record.score
        return stored is None or math.isclose(stored, self.score.total, abs_tol=SAME)

    def row(self) -> tuple[str, ...]:
        """As COLUMNS says."""
        recovered = self.score.recovered_at
        return (
            self.record.tier,
            str(self.record.seed),
            self.record.policy or "-",
            f"{self.score.total:.3f}{'' if self.record.checked_validity.counts else MARK}",
            *(f"{getattr(self.score, term):.2f}" for term in grading.WEIGHTS),
            "never" if recovered is None else f"step {recovered}",
        )

    def as_json(self) -> dict[str, Any]:
        header = {"episode_id", "tier", "seed", "policy", "backend", "world_version", "finished"}
        return {
            "file": str(self.file),
            **self.record.model_dump(mode="json", include=header),
            "score": self.score.model_dump(mode="json"),
            "stored_score": self.record.score,
            "validity": self.record.checked_validity.model_dump(mode="json"),
            "notes": list(self.notes()),
        }


def command(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Records of episodes, JSON lines.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say where points were lost.")] = False,
    submission: Annotated[
        Path | None, typer.Option(help="A submission to check, in place of records.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Grade recorded episodes. Ends with status 1 where a stored score differs from today's.

    A submission is graded anew from its records, and gets its place on the ladder; one that does
    not pass ends with status 2, and the field that is wrong.

    Example:
      sre-autopilot grade runs/run/*.jsonl
      sre-autopilot grade docs/examples/episode.jsonl --explain
      sre-autopilot grade --submission runs/mine
    """
    if submission is not None:
        if files:
            raise BadInput("--submission takes no other records")
        from sre_autopilot.cli.graded_submission import grade_submission

        grade_submission(submission, as_json=as_json)
        return
    if not files:
        raise BadInput("name records of episodes, or --submission FOLDER")
    episodes = [episode for file in files for episode in read(file)]
    if as_json:
        print_json([episode.as_json() for episode in episodes])
    elif explain:
        for episode in episodes:
            results_console(TEXT_WIDTH).print(
                episode_summary(episode.record, episode.score, explain=True)
            )
    else:
        results_console().print(table(episodes))
    for episode in episodes:
        for note in episode.notes():
            messages_console().print(f"{episode.file}: {note}", soft_wrap=True, markup=False)
    if not all(episode.agrees for episode in episodes):
        raise typer.Exit(FAILED)


def read(file: Path) -> list[GradedEpisode]:
    """The episodes of a file, graded. Raises BadInput, which names the file and the line."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        records = list(grading.read_episodes(lines))
    except (OSError, grading.RecordError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadInput(f"{file}: {reason}") from error
    if not records:
        raise BadInput(f"{file}: holds no episode")
    return [GradedEpisode(file, record, grading.grade(record)) for record in records]


def records_of(folder: Path) -> list[Path]:
    """The files of records in it, in the order in which they were last written."""
    return sorted(folder.glob("*.jsonl"), key=lambda file: file.stat().st_mtime_ns)


def newest(path: Path) -> Path:
    """A record: `path`, or the one last written in it where it is a folder. Raises BadInput."""
    if not path.is_dir():
        return path
    if records := records_of(path):
        return records[-1]
    raise BadInput(f"{path}: no record of an episode (*.jsonl) in this folder")


def table(episodes: Sequence[GradedEpisode]) -> Table:
    """A row an episode."""
    out = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for column in COLUMNS:
        text = column in ("tier", "policy", "recovered")
        out.add_column(column, justify="left" if text else "right", overflow="fold")
    for episode in episodes:
        out.add_row(*map(escape, episode.row()))  # policies are named by others
    return out
