"""Markdown that several reports share. Pure: rows in, text out."""

from collections.abc import Iterable, Sequence


def table(columns: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    """A table with a header line; cells are taken as they are, without escapes."""
    lines = (columns, ["---"] * len(columns), *rows)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
