"""Every example is run as a reader would: files saved, blocks run, in a folder of its own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import ROOT
from tests.docs.documents import Document, documents
from tests.docs.reader import files, run_python

RUNNABLE, CELL = "runnable", "cell"
PRINTED = {
    "README.md": r"\(64, 41\) \(64, 5, 7\)",
    "docs/quickstart.md": r"(?m)^score 0\.\d{3} after \d+ steps$",
    "docs/simulator.md": r"mean score 0\.\d{3}",
}
"""What the examples of a page print, where that is known."""
WITH_EXAMPLES = [
    pytest.param(d, id=d.name) for d in documents() if any(f.mark == RUNNABLE for f in d.fences)
]


def run_blocks(doc: Document, folder: Path) -> str:
    """What the document's runnable blocks print."""
    for name, body in files(doc).items():
        (folder / name).write_text(body)
    blocks = (fence.body for fence in doc.fences if fence.mark == RUNNABLE)
    return "".join(run_python(folder, "-W", "error", "-c", body) for body in blocks)


@pytest.mark.parametrize("doc", WITH_EXAMPLES)
def test_examples_run_and_print_what_they_should(doc: Document, tmp_path: Path) -> None:
    assert re.search(PRINTED.get(doc.name, r"\w"), run_blocks(doc, tmp_path))


def test_every_block_of_python_is_run_or_saved() -> None:
    idle = [
        f"{d.name}: {f.body[:40]!r}" for d in documents() for f in d.fences
        if f.language == "python" and not f.mark
    ]  # fmt: skip
    assert not idle


def test_examples_keep_the_style_of_the_code(tmp_path: Path) -> None:
    for doc in documents():
        # Cells of a page go on where the last one ended: ruff reads them in the notebook.
        blocks = [f for f in doc.fences if f.language == "python" and f.mark != CELL]
        for number, fence in enumerate(blocks):
            (tmp_path / f"{doc.path.stem.replace('-', '_')}_{number}.py").write_text(fence.body)
    settings = ["--config", str(ROOT / "pyproject.toml"), "--no-cache", str(tmp_path)]
    for command in (["check", "--ignore=D,PLR2004,T20"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *settings],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
