"""A server in a process of its own, and what /proc says of it and its children."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.architecture.source import ROOT
from tests.server.doors import until

COMMAND = (sys.executable, "-m", "server.app", "--host", "127.0.0.1", "--port", "0")
START_TIMEOUT_S = 30.0
ADDRESS = re.compile(r"running on (http://127\.0\.0\.1:\d+)")


@dataclass(frozen=True)
class Process:
    """One process; a later one may have its pid, but not its start."""

    pid: int
    started: str

    @property
    def alive(self) -> bool:
        fields = fields_of(self.pid)
        return fields is not None and fields[19] == self.started and fields[0] != "Z"


def fields_of(pid: int) -> list[str] | None:
    """State, parent and the rest, from /proc/<pid>/stat behind the name."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def family(pid: int) -> set[Process]:
    """A process and all below it."""
    table = {
        int(entry.name): fields
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and (fields := fields_of(int(entry.name)))
    }
    members, grown = {pid}, True
    while grown:
        born = {child for child, fields in table.items() if int(fields[1]) in members} - members
        members, grown = members | born, bool(born)
    return {Process(member, table[member][19]) for member in members if member in table}


@dataclass(frozen=True)
class RunningServer:
    """A running server: its process, its address, and the file that it writes its log to."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path


@contextlib.contextmanager
def served(
    folder: Path, command: Sequence[str] = COMMAND, **settings: str
) -> Iterator[RunningServer]:
    """`python -m server.app` on a free port; killed at the end if it still runs."""
    log = folder / "server.log"
    environ = {**os.environ, "SRE_METRICS_PORT": "0", "TMPDIR": str(folder), **settings}
    with (
        log.open("wb") as out,
        subprocess.Popen(command, cwd=ROOT, env=environ, stdout=out, stderr=out) as process,
    ):
        try:
            until(lambda: ADDRESS.search(log.read_text()) or process.poll(), START_TIMEOUT_S)
            address = ADDRESS.search(log.read_text())
            assert address, log.read_text()
            yield RunningServer(process, address[1], log)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
