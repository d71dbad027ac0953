"""Impairments as desired state: what holds, for how long, and what is left."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from services.runtime.draws import Draws
from services.runtime.governor import Governor
from services.runtime.held_connections import HeldConnections
from services.runtime.impairments import ImpairmentControl, Impairments, Leak
from services.runtime.link import Link
from services.runtime.routing import Routing
from sre_autopilot.world.topology import LIMITS, Service
from tests.architecture.source import ROOT
from tests.services.conftest import MakeRuntime
from tests.services.databases import Database, serving
from tests.services.neighbours import eventually

pytestmark = pytest.mark.anyio

REPLICA = f"{Service.INVENTORY_DB}-0"
MIB = 1 << 20
EVERYTHING: dict[str, Any] = {
    "memory_leak_mb": 2.0,
    "held_connections": {REPLICA: 4},
    "partitioned": 0.25,
    "drop_ratio": 0.5,
    "cpu_fraction": 0.9,
    "neighbour_cpu_pct": 10.0,
}


def impairments(step: int = 1, ttl_s: float = 60.0, **what: Any) -> Impairments:
    return Impairments(step=step, ttl_s=ttl_s, **what)


@pytest.fixture
async def database(make_runtime: MakeRuntime) -> AsyncIterator[Database]:
    async with serving(make_runtime(REPLICA)) as database:
        yield database


@pytest.fixture
async def governor() -> AsyncIterator[Governor]:
    cores = LIMITS[Service.INVENTORY_DB].cpu_limit_cores
    governor = Governor(asyncio.get_running_loop(), cores)
    yield governor
    governor.set(1.0, 0.0)


@pytest.fixture
async def impaired(database: Database, governor: Governor) -> AsyncIterator[ImpairmentControl]:
    runtime = database.runtime
    impaired = ImpairmentControl(
        runtime.link, governor, runtime.held_connections, asyncio.get_running_loop()
    )
    yield impaired
    await impaired.apply(impairments(ttl_s=0.001))


async def test_all_impairments_are_applied_and_reported(
    impaired: ImpairmentControl, database: Database, governor: Governor
) -> None:
    asked = impairments(**EVERYTHING)
    assert await impaired.apply(asked) == asked
    link = database.runtime.link
    assert (link.partitioned, link.drop_ratio) == (0.25, 0.5)
    assert (governor.cpu_fraction, governor.neighbour_cpu_pct) == (0.9, 10.0)
    assert database.pool.checked_out() == 4


async def test_no_impairments_heal(
    impaired: ImpairmentControl, database: Database, governor: Governor
) -> None:
    await impaired.apply(impairments(**EVERYTHING))
    assert await impaired.apply(impairments(step=2)) == impairments(step=2)
    assert (database.runtime.link.partitioned, database.runtime.link.drop_ratio) == (0.0, 0.0)
    assert governor.cpu_fraction == 1.0
    await eventually(lambda: database.pool.checked_out() == 0)


async def test_impairments_end_by_themselves(
    impaired: ImpairmentControl, database: Database, governor: Governor
) -> None:
    await impaired.apply(impairments(ttl_s=0.1, **EVERYTHING))
    assert database.runtime.link.partitioned == 0.25
    await eventually(lambda: database.runtime.link.partitioned == 0.0)
    await eventually(lambda: database.pool.checked_out() == 0)
    assert governor.cpu_fraction == 1.0


async def test_renewing_puts_the_end_off(impaired: ImpairmentControl, database: Database) -> None:
    link, loop = database.runtime.link, asyncio.get_running_loop()
    await impaired.apply(impairments(ttl_s=0.15, partitioned=1.0))
    first_end = loop.time() + 0.15
    await impaired.apply(impairments(ttl_s=0.6, partitioned=1.0))
    await eventually(lambda: loop.time() > first_end + 0.05)
    assert link.partitioned == 1.0
    await eventually(lambda: link.partitioned == 0.0)


async def test_held_connections_beyond_the_pool_are_reported_as_held(
    impaired: ImpairmentControl,
) -> None:
    applied = await impaired.apply(impairments(held_connections={REPLICA: 12}))
    assert applied.held_connections == {REPLICA: 10}


async def test_a_neighbour_burns_without_a_stall(impaired: ImpairmentControl) -> None:
    asked = impairments(neighbour_cpu_pct=90.0)
    assert await impaired.apply(asked) == asked


async def all_others() -> None:
    """Returns when nothing else goes on in the running loop."""
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)


@pytest.fixture
def stalled_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop in a thread of its own that does nothing until the test is over."""
    loop, go = asyncio.new_event_loop(), threading.Event()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    loop.call_soon_threadsafe(go.wait)
    yield loop
    go.set()
    asyncio.run_coroutine_threadsafe(all_others(), loop).result(5.0)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def test_a_stalled_data_loop_delays_no_control_call(
    stalled_loop: asyncio.AbstractEventLoop, governor: Governor
) -> None:
    link, holds = Link(Draws(1)), HeldConnections(REPLICA, Routing())
    impaired = ImpairmentControl(link, governor, holds, stalled_loop)
    async with asyncio.timeout(2.0):
        applied = await impaired.apply(impairments(held_connections={REPLICA: 3}, drop_ratio=1.0))
    assert applied.held_connections == {REPLICA: 0}
    assert link.drop_ratio == 1.0


LOSES = """
from services.runtime.impairments import Leak
from services.runtime.memory import proportional_bytes

leak, before = Leak(), proportional_bytes()
for step in (1, 1, 2):
    print(leak.grow(step, 30.0), proportional_bytes() - before)
"""


def test_a_leak_is_lost_once_a_step_and_for_good() -> None:
    """In a process of its own: what else this one gives back would count against the leak."""
    command = [sys.executable, "-c", LOSES]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lost_mb, grown = zip(*(map(float, line.split()) for line in output.splitlines()), strict=True)
    assert lost_mb == (30.0, 30.0, 30.0)
    assert grown == pytest.approx([30 * MIB, 30 * MIB, 60 * MIB], rel=0.1)


def test_a_step_tells_what_it_lost_not_what_it_is_asked_for() -> None:
    leak = Leak()
    assert leak.grow(1, 0.0) == 0.0
    assert leak.grow(1, 0.5) == 0.5
    assert leak.grow(1, 4.0) == 0.5


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("step", -1),
        ("ttl_s", 0.0),
        ("memory_leak_mb", -1.0),
        ("held_connections", {REPLICA: -1}),
        ("held_connections", {f"{Service.ORDER_SERVICE}-0": 1}),
        ("held_connections", {Service.USER_DB: 1}),
        ("partitioned", 1.1),
        ("drop_ratio", -0.1),
        ("cpu_fraction", 0.0),
        ("cpu_fraction", 1.1),
        ("neighbour_cpu_pct", -1.0),
        ("unheard_of", 1),
    ],
)
def test_impossible_impairments_are_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        Impairments.model_validate({"step": 1, "ttl_s": 5.0, field: value})
