"""Python as a reader of a page runs it: in a folder of their own, with this checkout installed."""

import os
import subprocess
import sys
from pathlib import Path

from tests.architecture.source import ROOT
from tests.docs.documents import Document

FILE = "file: "
"""The mark of a block that the reader saves under the name that follows."""


def files(document: Document) -> dict[str, str]:
    """What the page has its reader save, by name."""
    return {
        fence.mark.removeprefix(FILE): fence.body
        for fence in document.fences
        if fence.mark.startswith(FILE)
    }


def run_python(folder: Path, *arguments: str) -> str:
    """What it prints; it ends well, or the test fails with what it complained of."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
