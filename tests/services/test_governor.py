"""CPU taken away from the data loop."""

import asyncio
import threading
import time

import pytest

from services.runtime.governor import Governor, burn
from sre_autopilot.world.shapes import STALL_CYCLE_S
from tests.services.neighbours import eventually

pytestmark = pytest.mark.anyio


async def longest_stall(cycles: float) -> float:
    """The longest time in which the running loop did not run, over so many cycles."""
    loop = asyncio.get_running_loop()
    last, longest = loop.time(), 0.0
    ends_at = last + cycles * STALL_CYCLE_S
    while last < ends_at:
        await asyncio.sleep(0)
        now = loop.time()
        longest, last = max(longest, now - last), now
    return longest


@pytest.fixture
async def governor() -> Governor:
    return Governor(asyncio.get_running_loop(), limit_cores=0.25)


@pytest.mark.parametrize("cpu_fraction", [0.2, 0.6])
async def test_the_loop_stands_still_for_its_share_of_a_cycle(
    governor: Governor, cpu_fraction: float
) -> None:
    governor.set(cpu_fraction, 0.0)
    stalled_s = await longest_stall(cycles=1.2)
    assert (1.0 - cpu_fraction) * STALL_CYCLE_S <= stalled_s < STALL_CYCLE_S
    governor.set(1.0, 0.0)


async def test_a_governor_at_rest_stalls_nothing(governor: Governor) -> None:
    governor.set(1.0, 0.0)
    assert await longest_stall(cycles=0.4) < 0.3


async def test_healing_ends_a_stall_with_its_cycle(governor: Governor) -> None:
    governor.set(0.1, 0.0)
    assert await longest_stall(cycles=0.1) > 0.4
    governor.set(1.0, 0.0)
    assert await longest_stall(cycles=0.8) < 0.3


async def test_renewing_does_not_start_the_cycle_anew(
    governor: Governor, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    stalls: list[float] = []
    monkeypatch.setattr(
        "services.runtime.governor.time.sleep", lambda stall_s: stalls.append(loop.time())
    )
    while len(stalls) < 3:
        governor.set(0.7, 0.0)
        await asyncio.sleep(0)
    governor.set(1.0, 0.0)
    assert stalls[2] - stalls[0] == pytest.approx(2 * STALL_CYCLE_S, abs=0.2)


async def test_a_neighbour_burns_its_share_of_the_limit_beside_the_loop(
    governor: Governor, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    burns: list[tuple[float, float, int]] = []
    monkeypatch.setattr(
        "services.runtime.governor.burn",
        lambda cpu_s: burns.append((loop.time(), cpu_s, threading.get_ident())),
    )
    governor.set(1.0, 40.0)
    assert await longest_stall(cycles=0.4) < 0.3
    await eventually(lambda: len(burns) >= 2)
    governor.set(1.0, 0.0)
    (first_s, cpu_s, thread), (second_s, _, _), *_ = burns
    assert cpu_s == pytest.approx(0.4 * 0.25 * STALL_CYCLE_S)
    assert second_s - first_s == pytest.approx(STALL_CYCLE_S, abs=0.2)
    assert thread != threading.get_ident()


@pytest.mark.parametrize("cpu_fraction", [0.4, 1.0])
def test_a_neighbour_burns_no_more_than_the_limit(cpu_fraction: float) -> None:
    loop = asyncio.new_event_loop()
    governor = Governor(loop, limit_cores=0.25)
    governor.set(cpu_fraction, 400.0)
    assert governor.neighbour_cpu_pct == 100.0
    loop.close()


@pytest.mark.parametrize("cpu_s", [0.0, 0.05])
def test_burning_takes_its_share_of_cpu(cpu_s: float) -> None:
    burnt = time.thread_time()
    burn(cpu_s)
    assert time.thread_time() - burnt == pytest.approx(cpu_s, abs=0.02)


def test_burning_ends_with_the_cycle() -> None:
    started = time.monotonic()
    burn(60.0)
    assert time.monotonic() - started == pytest.approx(STALL_CYCLE_S, abs=0.2)
