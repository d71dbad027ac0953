"""The zygote: a fork server for a mesh's processes that also enforces their memory limits.

A small single-threaded program that has the services' modules loaded, so that a fork serves at
once. Commands are JSON lines on stdin, events are JSON lines on stdout; children write events
there too (lines are shorter than PIPE_BUF, so they never mix), and what they print goes to logs.
When stdin ends, as it does when the orchestrator is killed, or on SIGTERM, it kills every child,
removes the mesh's folder (its argument) if the orchestrator is dead, and exits; when it is killed
itself, the kernel kills the children. Linux only. It never decides what runs and never restarts
anything.

| command   | fields                            |                                              |
| spawn     | name, spec, log, memory_limit_mb  | forks a child that serves `spec`             |
| terminate | name                              | sends SIGTERM                                |
| kill      | names                             | sends SIGKILL and waits                      |

| event     | fields                            |                                              |
| ready     | as services.process says          | from the child: it serves                    |
| exited    | name, pid, exit_code, oom         | exit_code is 128 + signal after a signal     |
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
from orchestrator.backends.process.directory import remove_if_stale
from orchestrator.backends.process.priority import raise_priority
from services.runtime.memory import proportional_bytes, resident_bytes

PERIOD_S = 0.1
"""How often memory limits are checked and exited children are reaped."""

_DYING_TIMEOUT_S = 2

Serve = Callable[[dict[str, Any], int], None]
"""Serves a JSON spec until it is killed; writes a ready event to a file descriptor."""

_STDIN, _STDOUT, _STDERR = 0, 1, 2
_PR_SET_NAME = 15
_SIGNAL_EXIT_BASE = 128
_BYTES_PER_MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Child:
    """One forked process and its memory limit in MiB (None: no limit)."""

    name: str
    pid: int
    memory_limit_mb: int | None


class Zygote:
    """Carries out commands until stdin ends."""

    def __init__(self, serve: Serve, report_fd: int) -> None:
        self._serve = serve
        self._report_fd = report_fd
        self._children: dict[str, Child] = {}
        self._unread = b""
        self._pid = os.getpid()

    def run(self) -> None:
        """Returns when stdin has ended and every child has been killed."""
        signal.signal(signal.SIGTERM, self._on_sigterm)
        try:
            while self._read_commands():
                self._reap_exited()
                self._enforce_memory_limits()
        finally:
            self._kill(list(self._children))

    def _on_sigterm(self, *_: object) -> None:
        if os.getpid() == self._pid:
            _exit_once()
        # A child that was just forked still has this handler, and must not run the zygote's exit.
        os._exit(_SIGNAL_EXIT_BASE + signal.SIGTERM)

    def _read_commands(self) -> bool:
        """Waits at most a period for commands and carries them out; False at the end of stdin."""
        readable, _, _ = select.select([_STDIN], [], [], PERIOD_S)
        if not readable:
            return True
        with contextlib.suppress(ConnectionError):
            if chunk := os.read(_STDIN, 1 << 16):
                *lines, self._unread = (self._unread + chunk).split(b"\n")
                for line in lines:
                    self._execute(json.loads(line))
                return True
        return False

    def _execute(self, command: dict[str, Any]) -> None:
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
            _run_child(lambda spec: self._serve(spec, self._report_fd), command, self._pid)
        self._children[name] = Child(name, pid, command["memory_limit_mb"])

    def _kill(self, names: Iterable[str], oom: bool = False) -> None:
        """Kills children at once and reports each exit; ignores names of no child."""
        killed = [self._children[name] for name in names if name in self._children]
        for child in killed:
            os.kill(child.pid, signal.SIGKILL)
        for child in killed:
            _, status = os.waitpid(child.pid, 0)
            self._reap(child, status, oom)

    def _reap_exited(self) -> None:
        by_pid = {child.pid: child for child in self._children.values()}
        while self._children and (exited := os.waitpid(-1, os.WNOHANG)) != (0, 0):
            pid, status = exited
            self._reap(by_pid[pid], status)

    def _reap(self, child: Child, status: int, oom: bool = False) -> None:
        del self._children[child.name]
        code = os.waitstatus_to_exitcode(status)
        exit_code = _SIGNAL_EXIT_BASE - code if code < 0 else code
        event = {"name": child.name, "pid": child.pid, "exit_code": exit_code, "oom": oom}
        # The orchestrator may be gone already.
        with contextlib.suppress(BrokenPipeError):
            os.write(self._report_fd, json.dumps({"event": "exited", **event}).encode() + b"\n")

    def _enforce_memory_limits(self) -> None:
        for child in list(self._children.values()):
            if child.memory_limit_mb and _exceeds(child.pid, child.memory_limit_mb * _BYTES_PER_MB):
                self._kill([child.name], oom=True)


def _exceeds(pid: int, limit_bytes: int) -> bool:
    """Whether a process's proportional share of memory is above the limit.

    Reading the proportional share takes a walk over all pages; the resident size is cheap and
    never smaller, so most checks end with it.
    """
    with contextlib.suppress(ProcessLookupError, FileNotFoundError):
        return resident_bytes(pid) > limit_bytes and proportional_bytes(pid) > limit_bytes
    return False


def _run_child(
    serve: Callable[[dict[str, Any]], None], command: dict[str, Any], zygote_pid: int
) -> NoReturn:
    """Runs in the forked child. Never returns into the zygote's code."""
    exit_code = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        die_with_parent()
        ctypes.CDLL(None).prctl(_PR_SET_NAME, command["name"].encode())
        if os.getppid() == zygote_pid:
            _redirect_stdio(command["log"])
            gc.enable()
            serve(command["spec"])
            exit_code = 0
    except BaseException:  # noqa: BLE001 - the border of a process: everything is logged
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(exit_code)


def _redirect_stdio(log: str) -> None:
    """Gives a child its own log, and an empty stdin instead of the zygote's commands."""
    log_fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null_fd = os.open(os.devnull, os.O_RDONLY)
    for fd, standard in ((null_fd, _STDIN), (log_fd, _STDOUT), (log_fd, _STDERR)):
        os.dup2(fd, standard)
    os.close(null_fd)
    os.close(log_fd)


def main(load: Callable[[], Serve]) -> None:
    """Loads the services once, then carries out commands."""
    report_fd = os.dup(_STDOUT)
    os.dup2(_STDERR, _STDOUT)
    try:
        Zygote(_loaded(load), report_fd).run()
    finally:
        for folder in sys.argv[1:]:
            _remove_of_dead(Path(folder))


def _remove_of_dead(folder: Path) -> None:
    """Waits for the owner's lock: the kernel closes the files of a dying process one by one."""
    signal.alarm(_DYING_TIMEOUT_S)  # ends this process, which has nothing else to do
    remove_if_stale(folder, wait=True)


def _exit_once(*_: object) -> NoReturn:
    """The kernel sends a signal as each thread of the owner ends: the second must not cut the
    exit short.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(0)


def _loaded(load: Callable[[], Serve]) -> Serve:
    """What `load` returns, with all that it made out of the garbage collector's sight.

    It takes seconds on a busy machine, in which the end of stdin is not noticed: so the kernel says
    that the owner is dead.
    """
    signal.signal(signal.SIGTERM, _exit_once)
    die_with_parent(signal.SIGTERM)
    gc.disable()
    raise_priority()
    serve = load()
    gc.collect()
    gc.freeze()
    if threads := len(list(Path("/proc/self/task").iterdir())) - 1:
        raise RuntimeError(
            f"{threads} threads run: a fork would lose them and keep their locks held"
        )
    die_with_parent(by=0)  # from here on stdin tells, whichever thread the owner's loop is in
    return serve


def _load_services() -> Serve:
    # Not at the top: the garbage collector must be off before, and test stand-ins need no services.
    from services.process import ProcessSpec, serve  # noqa: PLC0415

    return lambda spec, report_fd: serve(ProcessSpec.from_json(spec), report_fd)


if __name__ == "__main__":
    main(_load_services)
