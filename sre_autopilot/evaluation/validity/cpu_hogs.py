"""Busy threads beside a mesh: processes that do nothing but use a CPU each.

They take the mesh's own priority, as another mesh does: beside four of ordinary priority a mesh of
raised priority misses nothing.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

BUSY_LOOP = """
import os, sys
from orchestrator.backends.process.priority import raise_priority
parent = int(sys.argv[1])
raise_priority()
while os.getppid() == parent:
    for _ in range(1_000_000):
        pass
"""
"""It ends with the program that started it, also if that is killed."""


@contextmanager
def cpu_hogs(count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """`count` busy processes for as long as the context lasts."""
    command = (sys.executable, "-c", BUSY_LOOP, str(os.getpid()))
    hogs: list[subprocess.Popen[bytes]] = []
    with ExitStack() as last_to_first:
        for _ in range(count):
            hog = last_to_first.enter_context(subprocess.Popen(command, start_new_session=True))
            last_to_first.callback(hog.kill)
            hogs.append(hog)
        yield hogs
