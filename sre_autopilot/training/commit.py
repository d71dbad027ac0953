"""Which code is running, for what is written down beside results."""

import subprocess
from functools import cache
from pathlib import Path

from sre_autopilot.version import __version__

ROOT = Path(__file__).parents[2]


@cache
def current_commit() -> str:
    """The checkout's commit, "-dirty" where files differ from it; else the installed version."""
    if not (ROOT / ".git").exists():
        return __version__
    command = ("git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude", "*")
    try:
        said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return __version__
    return said.stdout.strip()
