"""The page on trainers as its reader has it. It needs pytest alone: trainers have few packages."""

import re
import runpy
from pathlib import Path
from typing import Any

PAGE = (Path(__file__).parents[3] / "docs" / "trainers.md").read_text(encoding="utf-8")


def saved(name: str) -> str:
    """The file that the page has its reader save under that name."""
    blocks = re.findall(rf"(?ms)^<!-- file: {re.escape(name)} -->\n```python\n(.*?)^```$", PAGE)
    assert len(blocks) == 1, name
    return str(blocks[0])


def block(language: str, word: str) -> str:
    """The block of that language in which `word` stands."""
    bodies = re.findall(rf"(?ms)^```{language}\n(.*?)^```$", PAGE)
    (body,) = (body for body in bodies if word in body)
    return str(body)


def run_saved(name: str, folder: Path) -> dict[str, Any]:
    """Runs such a file as it stands, from `folder`; what it defines."""
    path = folder / name
    path.write_text(saved(name), encoding="utf-8")
    return runpy.run_path(str(path))
