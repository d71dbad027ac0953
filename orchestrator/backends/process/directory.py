"""A mesh's own folder: databases and logs, gone when the mesh is closed or its owner is dead."""

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
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
            with contextlib.suppress(OSError), _own_folder(self._path) as folder:
                _remove(self._path, folder)
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
    """Removes the folder of a mesh if its owner is dead; `wait` for its death if asked to.

    A folder of another user stays, whatever is in it: everybody may make one in /tmp.
    """
    with contextlib.suppress(OSError), _own_folder(path) as folder:
        if _is_stale(path.name, folder, wait=wait):
            _remove(path, folder)


@contextlib.contextmanager
def _own_folder(path: Path) -> Iterator[int]:
    """A descriptor of the folder, by which all further looks at it go: its name may be another's
    by then. Raises OSError where it is no folder, or not this user's.
    """
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(folder).st_uid != os.geteuid():
            raise PermissionError(f"{path} is another user's")
        yield folder
    finally:
        os.close(folder)


def _remove(path: Path, folder: int) -> None:
    """The lock goes last, so that a folder whose removal was cut short is still a stale one; what a
    dying process has written meanwhile goes too.
    """
    while names := sorted(os.listdir(folder), key=lambda name: name == _LOCK):
        for name in names:
            os.unlink(name, dir_fd=folder)
    path.rmdir()


def _is_stale(name: str, folder: int, *, wait: bool) -> bool:
    """Whether the lock is free. Raises OSError where it cannot be asked for."""
    if name.startswith("."):
        # Its lock is taken in a moment, if its owner lives.
        return time.time() - os.fstat(folder).st_mtime > _MAKING_TIMEOUT_S
    # Not blocking, for a pipe of this name would.
    lock = os.open(_LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    finally:
        os.close(lock)
    return True
