"""Markdown as the documents hold it: tables, fenced blocks, names in backticks, numbers."""

import re
from collections.abc import Iterable, Sequence


def table(head: str, rows: Iterable[Iterable[object]]) -> str:
    rule = re.sub("[^|]+", " --- ", head).strip()
    lines = (head, rule, *(" | ".join(map(str, row)) for row in rows))
    return "\n".join(f"| {line} |" for line in lines)


def code(text: str, language: str = "text") -> str:
    return f"```{language}\n{text.rstrip()}\n```"


def quoted(names: Iterable[object]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "-"


def spelt(value: float | Sequence[float]) -> str:
    """A number, or a range."""
    ends = (value,) if isinstance(value, int | float) else value
    return " to ".join(dict.fromkeys(f"{end:g}" for end in ends))
