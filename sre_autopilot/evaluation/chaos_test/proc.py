"""Processes as /proc describes them, those of one world apart from all others. Linux only.

A world's processes have its folder for temporary files as TMPDIR in their environment, which they
inherit and nobody else has: pids alone would tell nothing once a parent is dead. Kills nothing.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
ZOMBIE = "Z"
_LISTENS = "0A"
_STATE, _PARENT, _STARTED = 0, 1, 19
"""Places in /proc/<pid>/stat, counted behind the name."""
_LOCAL, _TCP_STATE, _INODE = 1, 3, 9
"""Places in a line of /proc/net/tcp."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process; a later one may have its pid, but not its start."""

    pid: int
    started: str

    @property
    def alive(self) -> bool:
        """A zombie is not: it holds nothing but its entry in the table."""
        fields = _stat(self.pid)
        return fields is not None and fields[_STARTED] == self.started and fields[_STATE] != ZOMBIE

    @property
    def parent(self) -> int | None:
        fields = _stat(self.pid)
        return None if fields is None else int(fields[_PARENT])

    @property
    def name(self) -> str:
        """At most 15 characters; empty for a process that is gone."""
        return _read(self.pid, "comm").decode(errors="replace").strip()

    @property
    def command(self) -> tuple[str, ...]:
        return tuple(_read(self.pid, "cmdline").decode(errors="replace").split("\0"))


def processes_of(tmpdir: Path) -> list[Process]:
    """Those alive whose TMPDIR is this folder, by pid."""
    mark = b"TMPDIR=" + os.fsencode(tmpdir)
    return [
        process
        for process in map(_process, _pids())
        if process is not None and process.alive and mark in _environ(process.pid)
    ]


def listening_sockets(processes: Iterable[Process]) -> frozenset[int]:
    """The inodes of all TCP sockets on which these processes listen."""
    return _open_sockets(processes) & _listening().keys()


def listening_addresses(inodes: frozenset[int]) -> list[str]:
    """Those of these sockets that listen still, as hexadecimal address:port."""
    return [address for inode, address in _listening().items() if inode in inodes]


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit())


def _process(pid: int) -> Process | None:
    fields = _stat(pid)
    return None if fields is None else Process(pid, fields[_STARTED])


def _stat(pid: int) -> list[str] | None:
    text = _read(pid, "stat").decode(errors="replace")
    return text.rpartition(")")[2].split() or None


def _environ(pid: int) -> list[bytes]:
    return _read(pid, "environ").split(b"\0")


def _read(pid: int, name: str) -> bytes:
    """Empty for a process that is gone or of another user."""
    with suppress(OSError):
        return (PROC / str(pid) / name).read_bytes()
    return b""


def _open_sockets(processes: Iterable[Process]) -> frozenset[int]:
    inodes = set()
    for process in processes:
        with suppress(OSError):  # it ended
            for fd in (PROC / str(process.pid) / "fd").iterdir():
                with suppress(OSError):
                    target = fd.readlink().name
                    if target.startswith("socket:["):
                        inodes.add(int(target[len("socket:[") : -1]))
    return frozenset(inodes)


def _listening() -> dict[int, str]:
    """Inode -> address of all listening TCP sockets of this network."""
    addresses = {}
    for table in ("tcp", "tcp6"):
        with suppress(FileNotFoundError):  # a kernel without IPv6
            for line in (PROC / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[_TCP_STATE] == _LISTENS:
                    addresses[int(fields[_INODE])] = fields[_LOCAL]
    return addresses
