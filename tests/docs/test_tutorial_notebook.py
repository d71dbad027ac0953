"""The notebook runs from top to bottom, in a kernel and a folder of its own: make test-notebook."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.source import ROOT
from tools.notebook import NOTEBOOK

nbclient = pytest.importorskip("nbclient", reason="make test-notebook has it")
nbformat = pytest.importorskip("nbformat", reason="make test-notebook has it")

CELL_TIMEOUT_S, PICTURES = 300, 3
pytestmark = [pytest.mark.tutorial, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the notebook has run."""
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(scope="module")
def outputs(folder: Path) -> list[Any]:
    """Of all cells, in their order."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        nbclient.NotebookClient(
            notebook,
            timeout=CELL_TIMEOUT_S,
            kernel_name="python3",
            resources={"metadata": {"path": str(folder)}},
        ).execute()
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


def test_every_picture_is_drawn(outputs: list[Any]):
    assert sum("image/png" in output.get("data", {}) for output in outputs) == PICTURES


def test_nothing_is_said_on_standard_error(outputs: list[Any]):
    complaints = [o.text for o in outputs if o.output_type == "stream" and o.name == "stderr"]
    assert complaints == []


def test_the_policy_learns_to_mend_what_is_broken(outputs: list[Any], folder: Path):
    lines = (folder / "runs/train/tutorial-0/scores.jsonl").read_text().splitlines()
    first, *_, last = (json.loads(line)["scores"] for line in lines)
    assert last["easy"] > max(0.7, first["easy"])
    assert last["control"] > 0.9


def test_scores_add_up_and_the_policy_plays_on_real_services(outputs: list[Any]):
    printed = "".join(output.text for output in outputs if output.output_type == "stream")
    parts = re.search(r"(0\.\d+) = (0\.\d+) at the start - (0\.\d+) of .* \+ ([+-]0\.\d+)", printed)
    assert parts, printed
    score, start, regrets, luck = map(float, parts.groups())
    assert score == pytest.approx(start - regrets + luck, abs=2e-3)
    assert re.search(r"real services: 0\.\d{3} after \d+ steps", printed)
    kinds = [output.get("data", {}) for output in outputs]
    (postmortem,) = (kind["text/markdown"] for kind in kinds if "text/markdown" in kind)
    assert "## What to do better" in postmortem
