"""Rows as Parquet, with the columns that their class says. Needs pyarrow."""

import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import pyarrow as pa
import pyarrow.parquet as pq

from sre_autopilot.grading.frozen import Frozen

ROWS_OF_A_GROUP = 4096
"""Rows are kept until there are so many: small groups compress badly."""
SCALARS = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


class Parquet:
    """One open file, compressed with zstd."""

    def __init__(self, path: Path, kind: type[Frozen]) -> None:
        self._schema = arrow_schema(kind)
        self._file = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._waiting: list[dict[str, Any]] = []

    def write(self, rows: Iterable[Frozen]) -> None:
        self._waiting += (row.model_dump(mode="json") for row in rows)
        if len(self._waiting) >= ROWS_OF_A_GROUP:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        if self._waiting:
            self._file.write_table(pa.Table.from_pylist(self._waiting, self._schema))
            self._waiting = []


def arrow_schema(kind: type[Frozen]) -> Any:
    """The columns of a class of rows, with their descriptions as metadata. Raises TypeError."""
    return pa.schema(
        [
            pa.field(
                name,
                _arrow_type(field.annotation),
                nullable=type(None) in get_args(field.annotation),
                metadata={"description": field.description} if field.description else None,
            )
            for name, field in kind.model_fields.items()
        ]
    )


def _arrow_type(annotation: Any) -> Any:
    """Text, numbers and truth values; rows within rows; and tuples of any of these."""
    if annotation in SCALARS:
        return SCALARS[annotation]
    parts = [part for part in get_args(annotation) if part not in (type(None), Ellipsis)]
    if get_origin(annotation) in (Union, types.UnionType, tuple) and len(parts) == 1:
        inner = _arrow_type(parts[0])
        return pa.list_(inner) if get_origin(annotation) is tuple else inner
    if isinstance(annotation, type) and issubclass(annotation, Frozen):
        return pa.struct(list(arrow_schema(annotation)))
    raise TypeError(f"no column for {annotation}")
