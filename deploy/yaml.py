"""Writes YAML: mappings, sequences, ASCII text, whole numbers, booleans, None. Never reads it."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

LINE = 90
"""Characters, indentation aside, that a sequence may take to stand in one line."""
PLAIN = re.compile(r"[A-Za-z_/$](?:[\w./${}()=@+-]| (?=[\w./$(])|:(?=[\w./$-]))*", re.ASCII)
"""What no reader takes for anything but a string, unless it is one of WORDS."""
WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


def dump(node: Any) -> str:
    """The text of a mapping or sequence; strings are quoted where a reader could be misled."""
    return "".join(f"{line}\n" for line in _lines(node))


def _lines(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            line = _in_one_line(value)
            yield f"{_scalar(key)}: {line or ''}".rstrip()
            if line is None:
                yield from (f"  {inner}" for inner in _lines(value))
    else:
        for value in node:
            line = _in_one_line(value)
            first, *rest = _lines(value) if line is None else [line]
            yield f"- {first}".rstrip()
            yield from (f"  {inner}" for inner in rest)


def _in_one_line(value: Any) -> str | None:
    """None where a mapping or sequence takes lines of its own."""
    if isinstance(value, Mapping):
        return None if value else "{}"
    if isinstance(value, list | tuple):
        flat = all(isinstance(item, str | int | None) for item in value)
        text = json.dumps(value) if flat else None
        return text if text is not None and len(text) <= LINE else None
    return _scalar(value)


def _scalar(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return json.dumps(value)
    if not isinstance(value, str):
        raise TypeError(f"YAML is not written for {value!r}")
    plain = PLAIN.fullmatch(value) and value.lower() not in WORDS
    return str(value) if plain else json.dumps(str(value))
