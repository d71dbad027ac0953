"""Processes of a world are told from all others by their TMPDIR, dead ones from living by start."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sre_autopilot.evaluation.chaos_test.proc import (
    Process,
    listening_addresses,
    listening_sockets,
    processes_of,
)
from tests.orchestrator.backends.conftest import until

LISTENER = """
import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process of a world in `tmp_path` that listens on a port."""
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    command, pipe = [sys.executable, "-c", LISTENER], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environ) as process:
        yield process
        process.kill()


def port_of(listener: subprocess.Popen[str]) -> int:
    assert listener.stdout is not None
    return int(listener.stdout.readline())


def test_only_processes_with_the_folder_as_tmpdir_count(
    tmp_path: Path, listener: subprocess.Popen[str]
) -> None:
    port_of(listener)
    (process,) = processes_of(tmp_path)
    assert (process.pid, process.parent) == (listener.pid, os.getpid())
    assert process.alive
    assert process.command[1:3] == ("-c", LISTENER)
    assert processes_of(tmp_path / "below") == []
    assert processes_of(tmp_path.parent) == []


def test_a_zombie_is_dead(tmp_path: Path, listener: subprocess.Popen[str]) -> None:
    port_of(listener)
    (process,) = processes_of(tmp_path)
    listener.kill()
    until(lambda: not process.alive)
    assert processes_of(tmp_path) == []
    assert Path(f"/proc/{process.pid}").exists(), "it was not reaped yet"


def test_a_later_process_of_the_same_pid_is_another() -> None:
    assert not Process(os.getpid(), "0").alive
    assert Process(os.getpid(), "0").name


def test_a_port_is_followed_by_its_socket(tmp_path: Path, listener: subprocess.Popen[str]) -> None:
    port = port_of(listener)
    sockets = listening_sockets(processes_of(tmp_path))
    (address,) = listening_addresses(sockets)
    assert int(address.rpartition(":")[2], 16) == port
    listener.kill()
    until(lambda: listening_addresses(sockets) == [])


def test_a_process_that_is_gone_has_nothing() -> None:
    gone = Process(2**22 + 1, "0")
    assert not gone.alive
    assert gone.parent is None
    assert gone.name == ""
    assert listening_sockets([gone]) == frozenset()
