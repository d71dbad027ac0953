"""Ten things that a newcomer looks for are found from docs/architecture.md alone.

Each row of the page's table names a path and what to look for in it; the path exists, and holds it.
"""

import re

import pytest

from tests.architecture.source import ROOT
from tests.docs.documents import document

TEN = (
    "the action of the vector environment",
    "the reward",
    "observation noise",
    "the engine's socket",
    "what writes the Compose file",
    "the score checks",
    "a new fault's five places",
    "the MCP tools",
    "where a metrics sample is parsed",
    "where the wheel is defined",
)
ROWS = {row[0]: row[1:] for row in document("docs/architecture.md").table("looking for")}
MOST_PATHS = 2
"""So many guesses a newcomer has."""


def test_the_table_has_the_ten() -> None:
    assert tuple(ROWS) == TEN


@pytest.mark.parametrize("thing", TEN)
def test_a_thing_is_where_the_page_says(thing: str) -> None:
    where, name = ROWS[thing]
    paths = re.findall(r"`(.+?)`", where)
    assert 1 <= len(paths) <= MOST_PATHS
    for path in paths:
        assert (ROOT / path).is_file(), path
    text = (ROOT / paths[0]).read_text()
    name = name.strip("`")
    assert defines(text, name) if paths[0].endswith(".py") else name in text


def defines(text: str, name: str) -> bool:
    """Whether Python source defines a function, a class or a constant of that name."""
    return bool(re.search(rf"(?m)^\s*(?:(?:async )?def|class) {name}\b|^{name}\b.* = ", text))


@pytest.mark.parametrize(
    ("text", "is_definition"),
    [
        ("def reward():", True),
        ("async def reward(x):", True),
        ("class reward:", True),
        ("reward: int = 3", True),
        ("reward = 3", True),
        ("print(reward)", False),
        ("def rewards():", False),
    ],
)
def test_a_use_is_no_definition(text: str, is_definition: bool) -> None:
    assert defines(text, "reward") is is_definition
