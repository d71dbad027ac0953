"""CPU taken away from the data loop."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any, cast

import pytest

from services.runtime.governor import Governor, burn
from sre_autopilot.world.shapes import STALL_CYCLE_S
from tests.services.neighbours import eventually

pytestmark = pytest.mark.anyio


class VirtualLoop:
    """A loop whose clock moves only when a callback sleeps, or waits for its turn.

    stalls: (begin, length) of each sleep of a callback, which holds the loop up. burns: (begin,
    CPU seconds) of each function that was handed to another thread.
    """

    def __init__(self) -> None:
        self.now_s = 0.0
        self.stalls: list[tuple[float, float]] = []
        self.burns: list[tuple[float, float]] = []
        self._timers: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now_s

    def sleep(self, sleep_s: float) -> None:
        self.stalls.append((self.now_s, sleep_s))
        self.now_s += sleep_s

    def call_soon_threadsafe(self, callback: Callable[[], None]) -> None:
        self.call_at(self.now_s, callback)

    def call_at(self, at_s: float, callback: Callable[[], None]) -> None:
        self._timers.append((at_s, callback))

    def run_in_executor(
        self, _executor: None, function: Callable[[float], None], cpu_s: float
    ) -> None:
        assert function is burn
        self.burns.append((self.now_s, cpu_s))

    def run_until(self, end_s: float) -> None:
        """Runs what is due before `end_s`, in order."""
        while due := [timer for timer in self._timers if timer[0] < end_s]:
            timer = min(due, key=lambda timer: timer[0])
            self._timers.remove(timer)
            self.now_s = max(self.now_s, timer[0])
            timer[1]()
        self.now_s = max(self.now_s, end_s)


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> VirtualLoop:
    loop = VirtualLoop()
    monkeypatch.setattr("services.runtime.governor.time.sleep", loop.sleep)
    return loop


@pytest.fixture
def governor(loop: VirtualLoop) -> Governor:
    return Governor(cast("Any", loop), limit_cores=0.25)


@pytest.mark.parametrize("cpu_fraction", [0.2, 0.6])
def test_the_loop_stands_still_for_its_share_of_every_cycle(
    loop: VirtualLoop, governor: Governor, cpu_fraction: float
) -> None:
    governor.set(cpu_fraction, 0.0)
    loop.run_until(2.5 * STALL_CYCLE_S)
    stall_s = (1.0 - cpu_fraction) * STALL_CYCLE_S
    assert loop.stalls == [(cycle * STALL_CYCLE_S, stall_s) for cycle in range(3)]


async def test_a_stall_stops_the_real_loop() -> None:
    loop = asyncio.get_running_loop()
    governor, began_s, last_s, longest_s = Governor(loop, 0.25), loop.time(), loop.time(), 0.0
    governor.set(0.2, 0.0)
    while last_s < began_s + STALL_CYCLE_S:
        await asyncio.sleep(0)
        now_s = loop.time()
        longest_s, last_s = max(longest_s, now_s - last_s), now_s
    governor.set(1.0, 0.0)
    assert longest_s >= 0.8 * STALL_CYCLE_S


def test_a_governor_at_rest_stalls_nothing(loop: VirtualLoop, governor: Governor) -> None:
    governor.set(1.0, 0.0)
    loop.run_until(3 * STALL_CYCLE_S)
    assert loop.stalls == []


def test_healing_ends_a_stall_with_its_cycle(loop: VirtualLoop, governor: Governor) -> None:
    governor.set(0.1, 0.0)
    loop.run_until(0.5 * STALL_CYCLE_S)
    governor.set(1.0, 0.0)
    loop.run_until(5 * STALL_CYCLE_S)
    assert loop.stalls == [(0.0, 0.9 * STALL_CYCLE_S)]


def test_a_governor_that_was_healed_stalls_again(loop: VirtualLoop, governor: Governor) -> None:
    for begin_s in (0.0, 4 * STALL_CYCLE_S):
        loop.run_until(begin_s)
        governor.set(0.5, 0.0)
        loop.run_until(begin_s + 0.1 * STALL_CYCLE_S)
        governor.set(1.0, 0.0)
        loop.run_until(begin_s + 2 * STALL_CYCLE_S)
    assert [begin_s for begin_s, _ in loop.stalls] == [0.0, 4 * STALL_CYCLE_S]


def test_renewing_does_not_start_the_cycle_anew(loop: VirtualLoop, governor: Governor) -> None:
    for tenth in range(25):
        governor.set(0.7, 0.0)
        loop.run_until(tenth / 10 * STALL_CYCLE_S)
    begins_s = [begin_s for begin_s, _ in loop.stalls]
    assert begins_s == [0.0, STALL_CYCLE_S, 2 * STALL_CYCLE_S]


def test_a_neighbour_burns_its_share_of_the_limit_beside_the_loop(
    loop: VirtualLoop, governor: Governor
) -> None:
    governor.set(1.0, 40.0)
    loop.run_until(1.5 * STALL_CYCLE_S)
    assert [begin_s for begin_s, _ in loop.burns] == [0.0, STALL_CYCLE_S]
    assert [cpu_s for _, cpu_s in loop.burns] == pytest.approx([0.4 * 0.25 * STALL_CYCLE_S] * 2)
    assert {length_s for _, length_s in loop.stalls} == {0.0}


async def test_a_neighbour_burns_in_a_thread_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []
    monkeypatch.setattr(
        "services.runtime.governor.burn", lambda _cpu_s: threads.append(threading.get_ident())
    )
    governor = Governor(asyncio.get_running_loop(), 0.25)
    governor.set(1.0, 40.0)
    await eventually(lambda: len(threads) > 0)
    governor.set(1.0, 0.0)
    assert threading.get_ident() not in threads


@pytest.mark.parametrize("cpu_fraction", [0.4, 1.0])
def test_a_neighbour_burns_no_more_than_the_limit(
    loop: VirtualLoop, governor: Governor, cpu_fraction: float
) -> None:
    governor.set(cpu_fraction, 400.0)
    loop.run_until(0.1 * STALL_CYCLE_S)
    assert governor.neighbour_cpu_pct == 100.0
    assert loop.burns == [(0.0, 0.25 * STALL_CYCLE_S)]


@pytest.mark.parametrize("cpu_s", [0.0, 0.05])
def test_burning_takes_its_share_of_cpu(cpu_s: float) -> None:
    burnt = time.thread_time()
    burn(cpu_s)
    assert time.thread_time() - burnt == pytest.approx(cpu_s, abs=0.02)


def test_burning_ends_with_the_cycle() -> None:
    """By the clock; a machine with other work gives the thread less CPU meanwhile, never more."""
    began_s, burnt_s = time.monotonic(), time.thread_time()
    burn(60.0)
    assert time.monotonic() - began_s >= STALL_CYCLE_S
    assert time.thread_time() - burnt_s < 2 * STALL_CYCLE_S
