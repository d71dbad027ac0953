"""Code run in an interpreter of its own: its imports stay there."""

import json
import subprocess
import sys
from typing import Any

from tests.architecture.source import ROOT


def output_of(code: str) -> Any:
    """What `code` prints, which is JSON; its imports begin with an empty `sys.modules`."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
