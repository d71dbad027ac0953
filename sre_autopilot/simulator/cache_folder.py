"""The user's folder for compiled code. Makes nothing."""

from collections.abc import Mapping
from pathlib import Path


def cache_folder(environ: Mapping[str, str]) -> Path:
    """In XDG_CACHE_HOME, else in .cache of the home. Raises RuntimeError for a user without one."""
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sre-autopilot"
