"""Writes an episode to a file while it runs: JSON lines, so that a crash loses one line at most."""

from pathlib import Path
from typing import TextIO

import grader


class Recorder:
    """Appends one episode to `folder`/<episode_id>.jsonl, or to nothing where `folder` is None."""

    def __init__(self, folder: Path | None, record: grader.EpisodeRecord) -> None:
        self._file: TextIO | None = None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = (folder / f"{record.episode_id}.jsonl").open("w", encoding="ascii")
            self._write(grader.header_line(record))

    def step(self, step: grader.StepRecord) -> None:
        self._write(grader.step_line(step))

    def end(self, record: grader.EpisodeRecord) -> None:
        """The last line; an abandoned episode has one without a score."""
        self._write(grader.end_line(record))
        self.close()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, line: str) -> None:
        if self._file is not None:
            self._file.write(line + "\n")
            self._file.flush()
