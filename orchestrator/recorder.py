"""Writes an episode to a file while it runs: JSON lines, so that a crash loses one line at most."""

from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TextIO

from sre_autopilot import grading


class Recorder:
    """Appends one episode to `folder`/<episode_id>.jsonl, or to nothing where `folder` is None.

    A file of that name stays as it is: the next one is <episode_id>.2.jsonl.
    """

    def __init__(self, folder: Path | None, record: grading.EpisodeRecord) -> None:
        self._file: TextIO | None = None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = _new_file(folder, record.episode_id)
            self._write(grading.header_line(record))

    def step(self, step: grading.StepRecord) -> None:
        self._write(grading.step_line(step))

    def end(self, record: grading.EpisodeRecord) -> None:
        """The last line; an abandoned episode has one without a score."""
        self._write(grading.end_line(record))
        self.close()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, line: str) -> None:
        if self._file is not None:
            self._file.write(line + "\n")
            self._file.flush()


def _new_file(folder: Path, episode_id: str) -> TextIO:
    for number in count(1):
        name = episode_id if number == 1 else f"{episode_id}.{number}"
        with suppress(FileExistsError):
            return (folder / f"{name}.jsonl").open("x", encoding="ascii")
    raise AssertionError("there is always a next number")
