"""The zygote: forks a mesh's processes, kills what outgrows its memory, and outlives none of them.

A small single-threaded program that has the services' modules loaded, so that a fork serves at
once. It obeys JSON lines on stdin and reports JSON lines on stdout, and so do its children (lines
are shorter than PIPE_BUF and never mix); what they print goes to logs. The end of stdin, as when
the orchestrator dies by whatever signal, or SIGTERM ends every child and then itself; should it be
killed, the kernel kills the children. Linux only. It never decides what runs, or starts it anew.

| command   | fields                            |                                              |
| spawn     | name, spec, log, memory_limit_mb  | forks a child that serves `spec`             |
| terminate | name                              | SIGTERM; the child ends when it likes        |
| kill      | names                             | SIGKILL; they are gone when it is reported   |

| event     | fields                            |                                              |
| ready     | as services.process says          | from the child: it serves                    |
| exited    | name, pid, exit_code, oom         | it is gone; 128 + signal where one ended it  |
"""

import contextlib
import ctypes
import gc
import json
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from orchestrator.backends.process.die_with_parent import die_with_parent

PERIOD_S = 0.05
"""How often memory is checked and the dead are looked for."""

Serve = Callable[[dict[str, Any], int], None]
"""Serves a JSON spec until it is killed; reports to a file descriptor that it is ready."""

_STDIN, _STDOUT, _STDERR = 0, 1, 2
_PR_SET_NAME = 15
_SIGNAL_EXIT_BASE = 128
_KIB_PER_MB = 1024
_PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024


@dataclass(frozen=True, slots=True)
class Child:
    """One forked process, and the MiB it may hold (None: as many as it likes)."""

    name: str
    pid: int
    memory_limit_mb: int | None


class Zygote:
    """Obeys until its commands end."""

    def __init__(self, serve: Serve, report_fd: int) -> None:
        self._serve = serve
        self._report_fd = report_fd
        self._children: dict[str, Child] = {}
        self._unread = b""
        self._pid = os.getpid()

    def run(self) -> None:
        """Returns when stdin has ended; no child is left then."""
        signal.signal(signal.SIGTERM, self._on_sigterm)
        try:
            while self._obey_what_came():
                self._bury_the_dead()
                self._enforce_memory_limits()
        finally:
            self._kill(list(self._children))

    def _on_sigterm(self, *_: object) -> None:
        if os.getpid() == self._pid:
            sys.exit(0)
        os._exit(_SIGNAL_EXIT_BASE + signal.SIGTERM)  # a child that is hardly born

    def _obey_what_came(self) -> bool:
        """Waits a period for commands; False when there can be no more."""
        readable, _, _ = select.select([_STDIN], [], [], PERIOD_S)
        if not readable:
            return True
        with contextlib.suppress(ConnectionError):
            if chunk := os.read(_STDIN, 1 << 16):
                *lines, self._unread = (self._unread + chunk).split(b"\n")
                for line in lines:
                    self._obey(json.loads(line))
                return True
        return False

    def _obey(self, command: dict[str, Any]) -> None:
        match command["command"]:
            case "spawn":
                self._spawn(command)
            case "terminate":
                if child := self._children.get(command["name"]):
                    os.kill(child.pid, signal.SIGTERM)
            case "kill":
                self._kill(command["names"])
            case unknown:
                raise ValueError(f"unknown command {unknown!r}")

    def _spawn(self, command: dict[str, Any]) -> None:
        name = command["name"]
        if name in self._children:
            raise ValueError(f"{name} runs already")
        pid = os.fork()
        if pid == 0:
            _become(lambda spec: self._serve(spec, self._report_fd), command, self._pid)
        self._children[name] = Child(name, pid, command["memory_limit_mb"])

    def _kill(self, names: Iterable[str], oom: bool = False) -> None:
        """Kills children side by side and reports their end; names of no child are left out."""
        doomed = [self._children[name] for name in names if name in self._children]
        for child in doomed:
            os.kill(child.pid, signal.SIGKILL)
        for child in doomed:
            _, status = os.waitpid(child.pid, 0)
            self._bury(child, status, oom)

    def _bury_the_dead(self) -> None:
        for child in list(self._children.values()):
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid:
                self._bury(child, status)

    def _bury(self, child: Child, status: int, oom: bool = False) -> None:
        del self._children[child.name]
        code = os.waitstatus_to_exitcode(status)
        exit_code = _SIGNAL_EXIT_BASE - code if code < 0 else code
        event = {"name": child.name, "pid": child.pid, "exit_code": exit_code, "oom": oom}
        # Nobody may be left to read this.
        with contextlib.suppress(BrokenPipeError):
            os.write(self._report_fd, json.dumps({"event": "exited", **event}).encode() + b"\n")

    def _enforce_memory_limits(self) -> None:
        for child in list(self._children.values()):
            if child.memory_limit_mb and _exceeds(child.pid, child.memory_limit_mb * _KIB_PER_MB):
                self._kill([child.name], oom=True)


def _exceeds(pid: int, limit_kib: int) -> bool:
    """Whether a process's proportional share of memory is above the limit.

    The share is dear to ask for; the resident size, which is never smaller, is cheap.
    """
    with contextlib.suppress(ProcessLookupError, FileNotFoundError):
        resident_pages = int(Path(f"/proc/{pid}/statm").read_bytes().split()[1])
        return resident_pages * _PAGE_KIB > limit_kib and proportional_kib(pid) > limit_kib
    return False


def proportional_kib(pid: int) -> int:
    """KiB of memory that a process accounts for, shared pages divided by their sharers (PSS)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_bytes().splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1])
    return 0


def _become(
    serve: Callable[[dict[str, Any]], None], command: dict[str, Any], zygote_pid: int
) -> NoReturn:
    """The life of a child. Never returns into the zygote's code."""
    exit_code = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        die_with_parent()
        ctypes.CDLL(None).prctl(_PR_SET_NAME, command["name"].encode())
        if os.getppid() == zygote_pid:
            _rewire(command["log"])
            gc.enable()
            serve(command["spec"])
            exit_code = 0
    except BaseException:  # noqa: BLE001 - the border of a process: whatever it was, it is logged
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(exit_code)


def _rewire(log: str) -> None:
    """Takes the commands away from a child, and gives it a log of its own."""
    log_fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null_fd = os.open(os.devnull, os.O_RDONLY)
    for fd, standard in ((null_fd, _STDIN), (log_fd, _STDOUT), (log_fd, _STDERR)):
        os.dup2(fd, standard)
    os.close(null_fd)
    os.close(log_fd)


def main(load: Callable[[], Serve]) -> None:
    """Loads the services once, then obeys."""
    report_fd = os.dup(_STDOUT)
    os.dup2(_STDERR, _STDOUT)
    gc.disable()
    serve = load()
    gc.collect()
    gc.freeze()
    if threads := len(list(Path("/proc/self/task").iterdir())) - 1:
        raise RuntimeError(f"{threads} threads would be lost, with their locks, in every fork")
    Zygote(serve, report_fd).run()


def _load_services() -> Serve:
    # Not at the top: the collector is to be off by then, and stand-ins do without.
    from services.process import ProcessSpec, serve  # noqa: PLC0415

    return lambda spec, report_fd: serve(ProcessSpec.from_json(spec), report_fd)


if __name__ == "__main__":
    main(_load_services)
