"""Processes that are kept alive: with a clock and pids of the test's own, and as real processes, in
a process that has no threads.
"""

import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from server.workers import children
from server.workers.children import DELAYS_S, SERVED_S
from tests.architecture.source import ROOT
from tests.server.doors import until
from tests.server.processes import fields_of

PROGRAM = """
import os, signal
from server.workers import children

children.STOP_TIMEOUT_S = 0.2

def stays():
    os.write(1, f"up {os.getpid()}\\n".encode())
    signal.pause()

def fails():
    os.write(1, b"try\\n")
    raise ValueError("no")

def stubborn():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.write(1, f"up {os.getpid()}\\n".encode())
    while True:
        signal.pause()

def died(number, status):
    os.write(1, f"died {number} {status}\\n".encode())

children.keep_alive([stays, fails, stubborn], died)
os.write(1, b"over\\n")
"""


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def keeper(out):
    """A process with three children, of which one fails again and again."""
    command = [sys.executable, "-c", PROGRAM]
    with (
        out.open("wb") as log,
        subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.DEVNULL) as process,
    ):
        try:
            until(lambda: out.read_text().count("died 1 1") >= 2 or process.poll(), 30.0)
            until(lambda: out.read_text().count("up ") >= 2 or process.poll(), 30.0)
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def pids(out):
    """Of the children that stay."""
    return [int(line.split()[1]) for line in out.read_text().splitlines() if line.startswith("up")]


def is_alive(pid):
    fields = fields_of(pid)
    return fields is not None and fields[0] != "Z"


def test_children_are_started_anew_until_the_end_which_no_child_can_refuse(keeper, out):
    keeper.send_signal(signal.SIGTERM)
    assert keeper.wait(30.0) == 0
    lines = out.read_text().splitlines()
    assert lines[-1] == "over" and len(pids(out)) == 2 and lines.count("try") >= 2
    assert {line for line in lines if line.startswith("died")} == {"died 1 1"}
    assert not any(map(is_alive, pids(out)))


def test_children_die_with_a_parent_that_is_killed(keeper, out):
    keeper.kill()
    keeper.wait(30.0)
    until(lambda: not any(map(is_alive, pids(out))), 30.0)


class Forks:
    """A clock, and children that end when the test says so."""

    def __init__(self):
        self.now, self.started, self.ended, self.died = 100.0, [], [], []

    def fork(self, number):
        self.started.append(number)
        return 1000 + len(self.started)

    def waitpid(self, _any, _options):
        return self.ended.pop(0) if self.ended else (0, 0)

    def end(self, pid, status=0):
        self.ended.append((pid, status << 8))


@pytest.fixture
def forks(monkeypatch):
    forks = Forks()
    monkeypatch.setattr(children, "time", SimpleNamespace(monotonic=lambda: forks.now))
    own = {"WNOHANG": os.WNOHANG, "waitstatus_to_exitcode": os.waitstatus_to_exitcode}
    monkeypatch.setattr(children, "os", SimpleNamespace(waitpid=forks.waitpid, **own))
    return forks


@pytest.fixture
def kept(forks, monkeypatch):
    made = children._Children([forks.fork] * 2, lambda *status: forks.died.append(status))
    monkeypatch.setattr(made, "_fork", forks.fork)
    made.start_due()
    return made


def test_every_child_starts_once(forks, kept):
    kept.start_due()
    assert forks.started == [0, 1]
    assert kept.pause_s() == 3600.0


def test_a_child_that_has_served_is_replaced_at_once(forks, kept):
    forks.now += SERVED_S + 1.0
    forks.end(1002, status=3)
    kept.reap()
    assert forks.died == [(1, 3)] and kept.pause_s() == 0.0
    kept.start_due()
    assert forks.started == [0, 1, 1]


def test_a_child_that_fails_again_and_again_waits_longer_each_time(forks, kept):
    pid, pauses = 1001, []
    for _ in range(len(DELAYS_S) + 2):
        forks.end(pid, status=1)
        kept.reap()
        pauses.append(kept.pause_s())
        forks.now += pauses[-1]
        kept.start_due()
        pid = 1000 + len(forks.started)
    assert pauses == [*DELAYS_S, DELAYS_S[-1], DELAYS_S[-1]]
    assert forks.started.count(1) == 1, "the other one is left in peace"


def test_a_child_that_is_not_due_is_not_started(forks, kept):
    for _ in range(2):
        forks.end(1000 + len(forks.started), status=1)
        kept.reap()
        kept.start_due()
    assert forks.started == [0, 1, 1] and kept.pause_s() == DELAYS_S[1]
    forks.now += DELAYS_S[1]
    kept.start_due()
    assert forks.started == [0, 1, 1, 1]


def test_a_child_that_has_served_has_no_failures_behind_it(forks, kept):
    for _ in range(3):
        forks.end(1001 if len(forks.started) == 2 else 1000 + len(forks.started), status=1)
        kept.reap()
        forks.now += kept.pause_s()
        kept.start_due()
    forks.now += SERVED_S + 1.0
    forks.end(1000 + len(forks.started))
    kept.reap()
    assert kept.pause_s() == 0.0


def test_a_child_that_somebody_else_left_behind_is_passed_over(forks, kept):
    forks.end(4242)
    forks.end(1001)
    kept.reap()
    assert forks.died == [(0, 0)]


def test_all_that_have_ended_are_taken_note_of_together(forks, kept):
    forks.end(1001)
    forks.end(1002, status=2)
    kept.reap()
    assert forks.died == [(0, 0), (1, 2)]
    kept.start_due()
    assert forks.started == [0, 1, 0, 1]
