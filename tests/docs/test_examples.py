"""Every example is run as a reader would: files saved, blocks run, in a folder of its own."""

import os
import re
import subprocess
import sys

import pytest

from tests.architecture.source import ROOT
from tests.docs.documents import Document, document, documents

RUNNABLE = "runnable"
README = "README.md"
WITH_EXAMPLES = [
    pytest.param(d, id=d.name) for d in documents() if any(f.mark == RUNNABLE for f in d.fences)
]


def run_blocks(doc: Document, folder) -> str:
    """What the document's runnable blocks print."""
    for fence in doc.fences:
        if fence.mark.startswith("file: "):
            (folder / fence.mark.removeprefix("file: ")).write_text(fence.body)
    printed = ""
    for fence in doc.fences:
        if fence.mark == RUNNABLE:
            done = subprocess.run(
                [sys.executable, "-W", "error", "-c", fence.body],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            printed += done.stdout
    return printed


@pytest.mark.parametrize("doc", [example for example in WITH_EXAMPLES if example.id != README])
def test_examples_run(doc: Document, tmp_path) -> None:
    assert run_blocks(doc, tmp_path)


def test_the_quick_start_ends_with_a_score(tmp_path) -> None:
    """It plays on the real mesh: how high the score is depends on the machine as well."""
    printed = run_blocks(document(README), tmp_path)
    score = re.fullmatch(r"score (0\.\d{3}) after (\d+) steps\n", printed)
    assert score and 0.01 <= float(score[1]) <= 0.99 and 1 <= int(score[2]) <= 30


def test_every_block_of_python_is_run_or_saved() -> None:
    idle = [
        f"{d.name}: {f.body[:40]!r}" for d in documents() for f in d.fences
        if f.language == "python" and not f.mark
    ]  # fmt: skip
    assert not idle


@pytest.mark.parametrize("doc", WITH_EXAMPLES)
def test_examples_are_written_as_the_code_is(doc: Document, tmp_path) -> None:
    blocks = [fence for fence in doc.fences if fence.language == "python"]
    for number, fence in enumerate(blocks):
        (tmp_path / f"example_{number}.py").write_text(fence.body)
    settings = ["--config", str(ROOT / "pyproject.toml"), "--no-cache", str(tmp_path)]
    for command in (["check", "--ignore=D,PLR2004,T20"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *settings],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
