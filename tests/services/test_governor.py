"""CPU taken away from the data loop."""

import asyncio
import time

import pytest

from services.mesh.shapes import STALL_CYCLE_S
from services.runtime.governor import Governor, stall

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


async def test_healing_ends_it_with_the_cycle(governor: Governor) -> None:
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
        "services.runtime.governor.stall", lambda stall_s, burn_s: stalls.append(loop.time())
    )
    while len(stalls) < 3:
        governor.set(0.7, 0.0)
        await asyncio.sleep(0)
    governor.set(1.0, 0.0)
    assert stalls[2] - stalls[0] == pytest.approx(2 * STALL_CYCLE_S, abs=0.2)


def test_a_neighbour_burns_no_more_than_fits_into_the_stall() -> None:
    loop = asyncio.new_event_loop()
    governor = Governor(loop, limit_cores=0.25)
    governor.set(0.4, 100.0)
    assert governor.neighbour_cpu_pct == 100.0
    governor.set(0.9, 100.0)
    assert governor.neighbour_cpu_pct == pytest.approx(40.0)
    governor.set(1.0, 100.0)
    assert governor.neighbour_cpu_pct == 0.0
    loop.close()


@pytest.mark.parametrize(("stall_s", "burn_s"), [(0.1, 0.0), (0.2, 0.05)])
def test_a_stall_burns_what_it_is_told(stall_s: float, burn_s: float) -> None:
    started, burnt = time.monotonic(), time.thread_time()
    stall(stall_s, burn_s)
    assert time.monotonic() - started >= stall_s
    assert time.thread_time() - burnt == pytest.approx(burn_s, abs=0.02)
