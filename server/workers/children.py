"""Forked processes that are kept alive until this one is to end. The parent waits and does nothing
else: it has no threads and no event loop, so that it can fork at any time.
"""

import gc
import logging
import os
import signal
import time
from collections.abc import Callable, Sequence

from orchestrator.backends.process.die_with_parent import die_with_parent

ENDING = frozenset({signal.SIGTERM, signal.SIGINT})
AWAITED = ENDING | {signal.SIGCHLD}
STOP_TIMEOUT_S = 10.0
"""From SIGTERM to SIGKILL."""
SERVED_S = 5.0
"""A child that has lived for so long could start: another one takes its place at once."""
DELAYS_S = (0.0, 0.5, 1.0, 2.0, 5.0)
"""Before the next start of one that has died sooner, the first time, the second time ..."""
log = logging.getLogger(__name__)


def keep_alive(runs: Sequence[Callable[[], None]], died: Callable[[int, int], None]) -> None:
    """Runs each of `runs` in a child process, and anew when it ends, until SIGTERM or SIGINT comes;
    then ends all of them and returns. If this process is killed, its children die with it.

    died: called with the number of a child that has ended and its exit status, negative for a
        signal, before the next one starts in its place.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, AWAITED)
    children = _Children(runs, died)
    gc.collect()
    gc.freeze()  # pages that no collection touches stay shared with the children
    try:
        arrived = None
        while arrived is None or arrived.si_signo not in ENDING:
            children.reap()
            children.start_due()
            arrived = signal.sigtimedwait(AWAITED, children.pause_s())
    finally:
        children.end()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Children:
    def __init__(
        self, runs: Sequence[Callable[[], None]], died: Callable[[int, int], None]
    ) -> None:
        self._runs, self._died = runs, died
        self._pids: dict[int, tuple[int, float]] = {}
        self._due_at = dict.fromkeys(range(len(runs)), 0.0)
        self._failures = dict.fromkeys(range(len(runs)), 0)

    def start_due(self) -> None:
        """Starts those whose time has come."""
        for number in [n for n, due_at in self._due_at.items() if due_at <= time.monotonic()]:
            del self._due_at[number]
            self._pids[self._fork(number)] = number, time.monotonic()

    def pause_s(self) -> float:
        """Until the next one is to be started."""
        soonest = min(self._due_at.values(), default=time.monotonic() + 3600.0)
        return max(0.0, soonest - time.monotonic())

    def reap(self) -> None:
        """Takes note of all that have ended."""
        while self._pids:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            if pid not in self._pids:
                continue  # inherited: by exec from a shell with jobs, or by process 1
            number, began = self._pids.pop(pid)
            now = time.monotonic()
            self._died(number, os.waitstatus_to_exitcode(status))
            self._failures[number] = 0 if now - began > SERVED_S else self._failures[number] + 1
            delay = DELAYS_S[min(max(self._failures[number] - 1, 0), len(DELAYS_S) - 1)]
            self._due_at[number] = now + delay

    def end(self) -> None:
        """SIGTERM to all; SIGKILL to those that do not end in time."""
        self._signal(signal.SIGTERM)
        last = time.monotonic() + STOP_TIMEOUT_S
        while self._pids and (left_s := last - time.monotonic()) > 0:
            self._take_leave()
            if self._pids:
                signal.sigtimedwait({signal.SIGCHLD}, left_s)
        self._signal(signal.SIGKILL)
        for pid in self._pids:
            os.waitpid(pid, 0)

    def _take_leave(self) -> None:
        for pid in [pid for pid in self._pids if os.waitpid(pid, os.WNOHANG)[0]]:
            del self._pids[pid]

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._pids:
            os.kill(pid, number)

    def _fork(self, number: int) -> int:
        parent = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        status = 1
        try:
            die_with_parent()
            if os.getppid() == parent:  # else it died before the line above
                signal.pthread_sigmask(signal.SIG_UNBLOCK, AWAITED)
                self._runs[number]()
                status = 0
        except Exception:  # nothing may go on in the parent's place
            log.exception("process %d failed", number)
        finally:
            os._exit(status)
