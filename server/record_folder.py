"""The records of a folder, for those who may see the truth; reads files, writes none.

A record that is still written is not there yet: it would tell the truth of an episode that somebody
plays. Whoever writes one holds a lock of its file, which the kernel gives up with the process, so
that this also holds where several servers write to one folder, and after a crash.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

from pydantic import BaseModel, Field

from orchestrator.errors import UnknownRecord
from orchestrator.recorder import is_being_written
from orchestrator.validation import parse_id
from sre_autopilot.errors import InvalidValue
from sre_autopilot.world.vocabulary import Tier

SUFFIX = ".jsonl"
MAX_RECORD_BYTES = 8 * 1024 * 1024
"""A record of 30 steps has 150 KB; a larger file is no record of ours."""
HEAD_BYTES = TAIL_BYTES = 64 * 1024
"""Enough for the two first lines of a record, and for its two last ones."""


class RecordSummary(BaseModel):
    """What the list of records says of one."""

    record_id: str = Field(description="its name in /records/{record_id}")
    episode_id: str
    tier: Tier
    seed: int
    world_version: str
    backend: str
    policy: str | None = Field(description="who played, if that was said at reset")
    steps: int = Field(description="of the episode so far, without that of reset")
    finished: bool = Field(description="false where it was given up, or its server was killed")
    score: float | None
    validity: str | None = Field(description="whether the score can be trusted")
    began_at: float | None = Field(description="of the first window, unix seconds")
    ended_at: float | None = Field(description="of the last window, unix seconds")
    size_bytes: int


class RecordPage(BaseModel):
    """Records that are over, the newest first."""

    kept: bool = Field(description="whether the server writes records at all (SRE_RECORD_DIR)")
    total: int = Field(description="files in the folder, also those that are left out of pages")
    next_offset: int | None = Field(description="where the next page begins; null after the last")
    records: list[RecordSummary]


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    size: int
    written_ns: int

    @classmethod
    def of(cls, entry: "os.DirEntry[str]") -> Self:
        status = entry.stat(follow_symlinks=False)
        return cls(Path(entry.path), status.st_size, status.st_mtime_ns)


class RecordFolder:
    """The folder of a server's records; None where it keeps none."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def page(self, offset: int, limit: int) -> RecordPage:
        """`limit` files from `offset` on, without those that are written or are no records."""
        files = sorted(self._files(), key=lambda file: (file.written_ns, file.path), reverse=True)
        end = offset + limit
        summaries = (_summary_of(file) for file in files[offset:end])
        return RecordPage(
            kept=self._folder is not None,
            total=len(files),
            next_offset=end if end < len(files) else None,
            records=[summary for summary in summaries if summary is not None],
        )

    def read(self, record_id: str) -> bytes:
        """A whole record that is over. Raises UnknownRecord."""
        try:
            name = parse_id("record_id", record_id)
        except InvalidValue:
            raise UnknownRecord(record_id) from None
        for file in self._files():
            if file.path.stem == name:
                content = _read_over(file.path)
                if content is not None:
                    return content
        raise UnknownRecord(record_id)

    def _files(self) -> Iterator[_File]:
        try:
            entries = os.scandir(self._folder) if self._folder is not None else None
        except OSError:  # no record was written yet, or somebody removed the folder
            return
        if entries is None:
            return
        with entries:
            for entry in entries:
                if entry.name.endswith(SUFFIX) and entry.is_file(follow_symlinks=False):
                    try:
                        file = _File.of(entry)
                    except FileNotFoundError:  # removed since it was listed
                        continue
                    if 0 < file.size <= MAX_RECORD_BYTES:
                        yield file


def _read_over(path: Path) -> bytes | None:
    """None where it is still written, or gone."""
    try:
        with path.open("rb") as file:
            return None if is_being_written(file) else file.read(MAX_RECORD_BYTES)
    except OSError:
        return None


def _summary_of(file: _File) -> RecordSummary | None:
    """None for what is still written, gone, or no record."""
    try:
        with file.path.open("rb") as content:
            if is_being_written(content):
                return None
            return _summary(file, _first_lines(content), _last_lines(content, file.size))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        # Whatever somebody put into the folder: it is left out, and no reason to list nothing.
        return None


def _summary(file: _File, first: list[bytes], last: list[bytes]) -> RecordSummary:
    """Raises whatever reading them does where the lines are no record's."""
    header, first_step = (json.loads(line) for line in first[:2])
    complete = [line for line in map(_parsed, last) if line is not None]
    end = complete[-1] if complete[-1].get("type") == "end" else {}
    last_step = [line for line in complete if line.get("type") == "step"][-1]
    return RecordSummary(
        record_id=file.path.stem,
        **{name: header[name] for name in ("episode_id", "tier", "seed", "backend", "policy")},
        world_version=header["world_version"],
        steps=last_step["step"],
        finished=end.get("finished", False),
        score=end.get("score"),
        validity=(end.get("validity") or {}).get("verdict"),
        began_at=first_step.get("began_at"),
        ended_at=last_step.get("ended_at"),
        size_bytes=file.size,
    )


def _parsed(line: bytes) -> dict[str, Any] | None:
    """None for half a line: the first one of a tail, or the last one of a program that was killed.

    Raises TypeError for a line that is no object.
    """
    try:
        value = json.loads(line)
    except ValueError:
        return None
    if not isinstance(value, dict):
        raise TypeError("a line of a record is an object")
    return value


def _first_lines(content: BinaryIO) -> list[bytes]:
    return content.read(HEAD_BYTES).splitlines()


def _last_lines(content: BinaryIO, size: int) -> list[bytes]:
    content.seek(max(0, size - TAIL_BYTES))
    return content.read(TAIL_BYTES).splitlines()
