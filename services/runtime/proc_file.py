"""Reads a file of /proc at the least cost. Standard library only."""

import os

_ENOUGH_BYTES = 4096


def read_proc(path: str) -> bytes:
    """The first 4 KiB, by three calls of the system.

    pathlib and a buffered file take three times as long, and a mesh is read 200 times a second.
    Raises FileNotFoundError or ProcessLookupError where there is no such process.
    """
    file = os.open(path, os.O_RDONLY)
    try:
        return os.read(file, _ENOUGH_BYTES)
    finally:
        os.close(file)
