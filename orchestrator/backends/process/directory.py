"""A mesh's own folder: databases and logs, gone when the mesh is closed or its owner is dead."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

_PREFIX = "sre-mesh-"
_LOCK = "owner.lock"
_LOG_TAIL_LINES = 15
_MAKING_TIMEOUT_S = 60.0
"""A folder that is hidden for longer is made by nobody any more: its owner was killed meanwhile."""


class MeshDirectory:
    """Made on first use. A lock on a file in it, which ends with the owner, says that it is in use.

    A pid would not do: owners in several pid namespaces may share one folder for temporary files.
    """

    def __init__(self, root: Path | None = None) -> None:
        self._root = root
        self._path: Path | None = None
        self._lock_fd: int | None = None

    @property
    def path(self) -> Path:
        if self._path is None:
            root = self._root or Path(tempfile.gettempdir())
            remove_stale(root)
            # Hidden until it is locked, so that another owner does not take it for a stale one.
            hidden = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}{os.getpid()}-", dir=root))
            self._lock_fd = os.open(hidden / _LOCK, os.O_CREAT | os.O_WRONLY, 0o600)
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX)
            self._path = hidden.rename(root / hidden.name.removeprefix("."))
        return self._path

    @property
    def vanished(self) -> bool:
        """Whether it was removed from outside."""
        return self._path is not None and not self._path.is_dir()

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
            _remove(self._path)
            self._path = None
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None


def mesh_folders(root: Path) -> list[Path]:
    """The folders of all meshes in `root`: living, dead, or just being made."""
    return [path for mark in (".", "") for path in root.glob(f"{mark}{_PREFIX}*")]


def remove_stale(root: Path) -> None:
    """Removes the folders of meshes whose owners are dead."""
    for path in mesh_folders(root):
        remove_if_stale(path)


def remove_if_stale(path: Path, *, wait: bool = False) -> None:
    """Removes the folder of a mesh if its owner is dead; `wait` for its death if asked to."""
    if not path.is_symlink() and _is_stale(path, wait=wait):
        _remove(path)


def _remove(path: Path) -> None:
    """The lock goes last, so that a folder whose removal was cut short is still a stale one."""
    with contextlib.suppress(OSError):
        for part in path.iterdir():
            if part.name != _LOCK:
                part.unlink()
    shutil.rmtree(path, ignore_errors=True)


def _is_stale(path: Path, *, wait: bool) -> bool:
    """Whether the lock is free. False where it cannot be asked for."""
    with contextlib.suppress(OSError):
        if path.name.startswith("."):
            # Its lock is taken in a moment, if its owner lives.
            return time.time() - path.stat().st_mtime > _MAKING_TIMEOUT_S
        with (path / _LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            return True
    return False
