"""A mesh's own folder: databases and logs, gone when the mesh is closed or its owner is dead."""

import contextlib
import os
import re
import shutil
import tempfile
from pathlib import Path

_PREFIX = "sre-mesh-"
_LOG_TAIL_LINES = 15


class MeshDirectory:
    """Made on first use, named after the process that owns it."""

    def __init__(self, root: Path | None = None) -> None:
        self._root = root
        self._path: Path | None = None

    @property
    def path(self) -> Path:
        if self._path is None:
            root = self._root or Path(tempfile.gettempdir())
            remove_stale(root)
            self._path = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=root))
        return self._path

    def log(self, name: str) -> Path:
        return self.path / f"{name}.log"

    def log_tail(self, name: str) -> str:
        """The last lines that a process wrote to stdout or stderr; empty where there are none."""
        with contextlib.suppress(FileNotFoundError):
            lines = self.log(name).read_text(errors="replace").splitlines()
            return "\n".join(lines[-_LOG_TAIL_LINES:])
        return ""

    def remove(self) -> None:
        """Idempotent."""
        if self._path is not None:
            shutil.rmtree(self._path, ignore_errors=True)
            self._path = None


def remove_stale(root: Path) -> None:
    """Removes the folders of meshes whose owners are dead."""
    for path in root.glob(f"{_PREFIX}*"):
        owner = re.match(rf"{_PREFIX}(\d+)-", path.name)
        if owner and not _alive(int(owner[1])):
            shutil.rmtree(path, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
