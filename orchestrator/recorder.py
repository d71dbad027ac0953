"""Writes an episode to a file while it runs: JSON lines, so that a crash loses one line at most."""

import fcntl
import logging
import os
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import IO, TextIO

from sre_autopilot import grading

FOLDER_MODE, FILE_MODE = 0o700, 0o600
"""A record holds what is hidden, also while it is played: it is for its owner's eyes."""
LOG = logging.getLogger(__name__)


class Recorder:
    """Appends one episode to `folder`/<episode_id>.jsonl, or to nothing where `folder` is None.

    A file of that name stays as it is: the next one is <episode_id>.2.jsonl. Where it cannot be
    written (a full disk, a folder that is gone), the log says so once and the recording ends: the
    episode goes on.

    The file is locked until the episode is over, so that nobody is shown the truth before that.
    """

    def __init__(self, folder: Path | None, record: grading.EpisodeRecord) -> None:
        self._file: TextIO | None = None
        self._is_lost = False
        self._episode_id = record.episode_id
        if folder is not None:
            try:
                folder.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
                self._file = _new_file(folder, record.episode_id)
                with suppress(OSError):  # a file system without locks
                    fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                self._give_up(error)
            self._write(grading.header_line(record))

    def step(self, step: grading.StepRecord) -> None:
        self._write(grading.step_line(step))

    def end(self, record: grading.EpisodeRecord) -> None:
        """The last line; an abandoned episode has one without a score."""
        self._write(grading.end_line(record))
        self.close()

    def close(self) -> None:
        """Idempotent."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):  # what is still to be flushed was logged as lost
                file.close()

    def _write(self, line: str) -> None:
        if self._file is not None and not self._is_lost:
            try:
                self._file.write(line + "\n")
                self._file.flush()
            except OSError as error:
                self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        LOG.warning("the record of episode %s ends here: %s", self._episode_id, error)
        self._is_lost = True


def is_being_written(file: IO[bytes]) -> bool:
    """Whether a Recorder, of any process on this machine, still holds this open file.

    True also where the file system has no locks: then nobody can say.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    return False


def is_writable(folder: Path) -> bool:
    """Whether files can be written to the folder, or to one made of that name. Makes nothing."""
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def _new_file(folder: Path, episode_id: str) -> TextIO:
    for number in count(1):
        name = episode_id if number == 1 else f"{episode_id}.{number}"
        with suppress(FileExistsError):
            return open(folder / f"{name}.jsonl", "x", encoding="ascii", opener=_private)
    raise AssertionError("there is always a next number")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, FILE_MODE)
