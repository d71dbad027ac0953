"""The files of a data set: tables of rows, each split in a file of its own, and their schema.

    FOLDER/steps/train.parquet  FOLDER/steps/train.jsonl.gz  FOLDER/episodes/...  FOLDER/schema.json

The same rows give the same bytes of JSON lines.
"""

import gzip
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self

from sre_autopilot.dataset.rows import EpisodeRow, StepRow
from sre_autopilot.grading.frozen import Frozen

TABLES: dict[str, type[Frozen]] = {"steps": StepRow, "episodes": EpisodeRow}
SCHEMA = "schema.json"


class Format(StrEnum):
    """How rows are written; the value ends the files' names."""

    JSON_LINES = "jsonl.gz"
    PARQUET = "parquet"


class RowWriter(Protocol):
    """Appends rows to one open file."""

    def write(self, rows: Iterable[Frozen]) -> None: ...

    def close(self) -> None: ...


OpenFile = Callable[[Path, type[Frozen]], RowWriter]
"""A new file for rows of a class."""


class JsonLines:
    """Rows as JSON lines, compressed; the file says nothing of when it was made."""

    def __init__(self, path: Path, _kind: type[Frozen]) -> None:
        self._plain: IO[bytes] = path.open("wb")
        self._file = gzip.GzipFile("", "wb", fileobj=self._plain, mtime=0)

    def write(self, rows: Iterable[Frozen]) -> None:
        for row in rows:
            self._file.write(row.model_dump_json().encode() + b"\n")

    def close(self) -> None:
        self._file.close()
        self._plain.close()


class DatasetWriter:
    """Writes episodes into a folder, as they come; the schema stands there from the beginning.

    A context: the files are whole when it ends.
    """

    def __init__(self, folder: Path, formats: Mapping[Format, OpenFile]) -> None:
        """formats: what opens a file of each that is asked for. Raises OSError."""
        self._folder, self._formats = folder, formats
        self._writers: dict[tuple[str, str, Format], RowWriter] = {}
        self._at_the_end = ExitStack()
        self.episodes: dict[str, int] = {}
        """How many episodes each split has."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / SCHEMA).write_text(json.dumps(schema(), indent=1) + "\n", encoding="ascii")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._at_the_end.close()

    def add(self, episode: EpisodeRow, steps: Iterable[StepRow]) -> None:
        """Appends an episode to the files of its split."""
        self.episodes[episode.split] = self.episodes.get(episode.split, 0) + 1
        rows: dict[str, list[Frozen]] = {"steps": list(steps), "episodes": [episode]}
        for table in TABLES:
            for kind in self._formats:
                self._writer(table, episode.split, kind).write(rows[table])

    def _writer(self, table: str, split: str, kind: Format) -> RowWriter:
        key = table, split, kind
        if key not in self._writers:
            path = self._folder / table / f"{split}.{kind}"
            path.parent.mkdir(exist_ok=True)
            writer = self._formats[kind](path, TABLES[table])
            self._writers[key] = writer
            self._at_the_end.callback(writer.close)
        return self._writers[key]


def schema() -> dict[str, Any]:
    """The JSON Schema of a row of each table."""
    return {table: kind.model_json_schema(mode="serialization") for table, kind in TABLES.items()}
