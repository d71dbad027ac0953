"""What all workers of a server know: which sessions exist and where, and how full buckets are.

One anonymous file (memfd) that the supervisor makes and the workers inherit: it has no name on any
disk and is gone with the last process. Every change is made under a record lock of the file, which
the kernel releases when its holder dies.

    header   the token of forwarded requests
    owners   a byte a session: 0 for a free row, else 1 + the worker's number
    names    a row a session: its name, filled up with zeros
    lost     a ring of the names of sessions that ended with their worker
    buckets  SETS sets of WAYS buckets: key, tokens, the moment they were counted
"""

import fcntl
import hashlib
import mmap
import os
import secrets
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

TOKEN_BYTES = 32
NAME_BYTES = 128
"""A name has as many characters at most, all of ASCII: see `validation.ID_PATTERN`."""
MOST_WORKERS = 64
SETS, WAYS = 1024, 8
BUCKET = struct.Struct("<8sdd")
HEADER = struct.Struct(f"<{TOKEN_BYTES}sII")
"""Token, rows, and how many names were ever lost."""
FREE = b"\0"


class SharedMemory:
    """The file of one server, mapped into this process."""

    def __init__(self, fd: int) -> None:
        """fd: of a file that `create` has made."""
        self.fd = fd
        self._map = mmap.mmap(fd, os.fstat(fd).st_size)
        self.token: bytes
        self.max_sessions: int
        self.token, self.max_sessions, _ = HEADER.unpack_from(self._map)
        self._names = HEADER.size + self.max_sessions
        self._lost = self._names + self.max_sessions * NAME_BYTES
        self._buckets = self._lost + self.max_sessions * NAME_BYTES

    @classmethod
    def create(cls, max_sessions: int) -> Self:
        """A new file with room for so many sessions, which nobody else has yet."""
        fd = os.memfd_create("sre-autopilot")
        rows = max_sessions * (1 + 2 * NAME_BYTES)
        os.ftruncate(fd, HEADER.size + rows + SETS * WAYS * BUCKET.size)
        os.pwrite(fd, HEADER.pack(secrets.token_bytes(TOKEN_BYTES), max_sessions, 0), 0)
        return cls(fd)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else changes anything while this lasts; it should last microseconds."""
        fcntl.lockf(self.fd, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self.fd, fcntl.LOCK_UN)

    def in_use(self) -> int:
        """How many sessions there are in all workers."""
        owners: bytes = self._map[HEADER.size : self._names]
        return len(owners) - owners.count(FREE)

    def owner(self, name: str) -> int | None:
        """The worker in which a session lives; None where there is no such session."""
        row = self._row_of(name, self._names)
        owner = 0 if row is None else self._map[HEADER.size + row]
        return owner - 1 if owner else None

    def is_lost(self, name: str) -> bool:
        """Whether the session ended with its worker, and was not begun again since."""
        return self._row_of(name, self._lost) is not None

    def take(self, worker: int, name: str) -> bool:
        """Makes a row for a new session; False where all are taken."""
        with self.locked():
            at = self._map.find(FREE, HEADER.size, self._names)
            if at < 0:
                return False
            self._write(self._names, at - HEADER.size, name)
            self._map[at] = 1 + worker
            lost = self._row_of(name, self._lost)
            if lost is not None:
                self._write(self._lost, lost, "")
            return True

    def release(self, worker: int, name: str) -> None:
        """Frees the row of a session of this worker. Idempotent."""
        with self.locked():
            row = self._row_of(name, self._names)
            if row is not None and self._map[HEADER.size + row] == 1 + worker:
                self._free(row)

    def lose(self, worker: int) -> int:
        """Frees all rows of a worker that has died; returns how many sessions are lost."""
        with self.locked():
            owners = self._map[HEADER.size : self._names]
            rows = [row for row, owner in enumerate(owners) if owner == 1 + worker]
            token, most, count = HEADER.unpack_from(self._map)
            for number, row in enumerate(rows, start=count):
                self._write(self._lost, number % most, self._name(row))
                self._free(row)
            HEADER.pack_into(self._map, 0, token, most, count + len(rows))
            return len(rows)

    def bucket(self, key: str) -> tuple[float, float] | None:
        """Tokens of a bucket and when they were counted; None for one that is not kept."""
        at = self._bucket_at(key)
        kept, tokens, counted_at = BUCKET.unpack_from(self._map, at)
        return (tokens, counted_at) if kept == self._digest(key) else None

    def keep_bucket(self, key: str, tokens: float, counted_at: float) -> None:
        """In place of the one of its set that was counted longest ago, where it is new."""
        BUCKET.pack_into(self._map, self._bucket_at(key), self._digest(key), tokens, counted_at)

    def _bucket_at(self, key: str) -> int:
        digest = self._digest(key)
        first = self._buckets + int.from_bytes(digest[:4], "little") % SETS * WAYS * BUCKET.size
        rows = range(first, first + WAYS * BUCKET.size, BUCKET.size)
        entries = [(BUCKET.unpack_from(self._map, at), at) for at in rows]
        for (kept, _, _), at in entries:
            if kept == digest:
                return at
        return min((counted_at, at) for (_, _, counted_at), at in entries)[1]

    def _digest(self, key: str) -> bytes:
        """Keyed, so that no client can choose an address that falls upon another's bucket."""
        return hashlib.blake2b(key.encode(), digest_size=8, key=self.token).digest()

    def _row_of(self, name: str, region: int) -> int | None:
        """The row of a region that holds this name."""
        if not 0 < len(name) <= NAME_BYTES:
            return None
        row, end = _padded(name), region + self.max_sessions * NAME_BYTES
        at = self._map.find(row, region, end)
        while at >= 0 and (at - region) % NAME_BYTES:
            at = self._map.find(row, at + 1, end)
        return (at - region) // NAME_BYTES if at >= 0 else None

    def _name(self, row: int) -> str:
        at = self._names + row * NAME_BYTES
        return self._map[at : at + NAME_BYTES].rstrip(FREE).decode("ascii")

    def _write(self, region: int, row: int, name: str) -> None:
        at = region + row * NAME_BYTES
        self._map[at : at + NAME_BYTES] = _padded(name)

    def _free(self, row: int) -> None:
        self._map[HEADER.size + row] = 0
        self._write(self._names, row, "")


def _padded(name: str) -> bytes:
    """As a row holds it; a name that no session can have fits no row."""
    return name.encode("utf-8", "replace").ljust(NAME_BYTES, FREE)
