"""The page on training names every recipe that is shipped, and every file that a run leaves."""

import re
from pathlib import Path

from sre_autopilot.history.newest import NEWEST_COUNT
from sre_autopilot.simulator.gym.action_coding import FLAT_COUNT
from sre_autopilot.training.recipe import FOLDER, SHIPPED, Recipe, recipe_text
from tests.architecture.source import ROOT

PAGE = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
PLAIN = " ".join(PAGE.split())


def first_cells(heading):
    """What stands in backticks in the first column of the table under `heading`."""
    table = PAGE.partition(f"| {heading} |")[2].partition("\n\n")[0]
    return set(re.findall(r"^\| `(.+?)` \|", table, re.M))


def test_every_shipped_recipe_is_on_the_page_and_no_other():
    assert first_cells("recipe") == {path.stem for path in FOLDER.glob("*.toml")}


def test_files_of_a_run_are_on_the_page():
    names = {Path(cell).name for cell in first_cells("file")}
    assert {"weights.npz", "checkpoint.pt", "scores.jsonl"} < names


def test_numbers_of_the_input_are_those_of_the_code():
    assert f"{NEWEST_COUNT} numbers" in PLAIN
    assert f"{Recipe.parse(recipe_text(SHIPPED)).memory} numbers that it keeps" in PLAIN
    assert f"each of {FLAT_COUNT} flat actions" in PLAIN
