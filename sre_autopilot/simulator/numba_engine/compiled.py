"""Compiles a function over rules once, and keeps the result on disk.

The compiled code is kept in the user's cache folder (XDG_CACHE_HOME), under a name that changes
with the text of any rule, so that stale code is never run. Slow to import: loads the compiler.
"""

import hashlib
import os
from functools import partial
from pathlib import Path
from typing import Any

import numba

from sre_autopilot.simulator.cache_folder import cache_folder

_ROOT = Path(__file__).parents[3]
_SOURCES = (
    *Path(__file__).parent.glob("*.py"),
    *_ROOT.glob("sre_autopilot/simulator/rules/*.py"),
    *_ROOT.glob("sre_autopilot/world/*.py"),
    *(
        _ROOT / name
        for name in (
            "sre_autopilot/grading/score.py",
            "sre_autopilot/history/row_layout.py",
            "sre_autopilot/simulator/span_rules.py",
            "sre_autopilot/simulator/telemetry.py",
            "orchestrator/noise.py",
            "orchestrator/reward.py",
            "chaos/tiers.py",
        )
    ),
)
"""Files whose text the compiled code depends on: constants are compiled in."""


def compiled(function: Any) -> Any:
    """Compiled at its first call, or read from disk; not kept where no folder can be written."""
    digest = hashlib.sha256()
    for path in sorted(_SOURCES):
        digest.update(path.read_bytes())
    folder = _cache_folder(digest.hexdigest()[:16])
    # Without Numba's runtime (_nrt): nothing is allocated, so no reference is counted, which
    # halves the time of a step.
    njit: Any = partial(numba.njit, nogil=True, error_model="numpy", _nrt=False)
    if folder is None:
        return njit()(function)
    config: Any = numba.config
    # Numba reads its cache folder when a function is decorated, and has no argument for it.
    before, config.CACHE_DIR = config.CACHE_DIR, str(folder)
    try:
        return njit(cache=True)(function)
    finally:
        config.CACHE_DIR = before


def _cache_folder(name: str) -> Path | None:
    """The user's folder for compiled code; None where there is none that can be written."""
    try:
        folder = cache_folder(os.environ) / name
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # RuntimeError: the user has no home
        return None
    return folder if os.access(folder, os.W_OK | os.X_OK) else None
