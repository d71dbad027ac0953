"""The tutorial as a notebook. Its one source is docs/tutorial.md, which people read as it stands.

`python -m tools.notebook` writes docs/tutorial.ipynb: a block of Python under `<!-- cell -->` is a
code cell, without outputs, and what stands between two of them is a Markdown cell.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "tutorial.md"
NOTEBOOK = PAGE.with_suffix(".ipynb")
CELL = re.compile(r"(?ms)^<!-- cell -->\n```python\n(.*?)^```\n")
FILE_MARK = re.compile(r"(?m)^<!-- file: \S+ -->\n")
METADATA: Mapping[str, Any] = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
    "source": "written from docs/tutorial.md by make generate",
}


def notebook(markdown: str) -> dict[str, Any]:
    """The notebook of a page, in the format 4.5."""
    # Split by a pattern with a group: text and code take turns, and text comes first.
    pieces = [piece.strip() for piece in CELL.split(markdown)]
    cells = [
        {"id": f"cell-{number}", "metadata": {}, **(_code(piece) if number % 2 else _text(piece))}
        for number, piece in enumerate(pieces)
        if piece
    ]
    return {"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}


def _text(piece: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "source": _lines(FILE_MARK.sub("", piece))}


def _code(piece: str) -> dict[str, Any]:
    return {"cell_type": "code", "execution_count": None, "outputs": [], "source": _lines(piece)}


def _lines(text: str) -> list[str]:
    """As the format has it: each line with its end, but for the last one."""
    return text.splitlines(keepends=True)


def main() -> None:
    made = notebook(PAGE.read_text(encoding="utf-8"))
    NOTEBOOK.write_text(json.dumps(made, indent=1, sort_keys=True) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
