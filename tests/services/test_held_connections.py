"""Connections kept from everybody else, at home and at a callee."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.runtime.app import Runtime
from services.runtime.held_connections import OPENING_TIMEOUT_S
from sre_autopilot.world.topology import POOL_SIZE, Service
from tests.services.conftest import TOKEN, MakeRuntime
from tests.services.databases import Database, serving
from tests.services.neighbours import Callee, eventually, route

pytestmark = pytest.mark.anyio

REPLICA = f"{Service.USER_DB}-0"
OTHER = f"{Service.USER_DB}-1"
GIVE_UP_S = 20.0


@pytest.fixture
async def database(make_runtime: MakeRuntime) -> AsyncIterator[Database]:
    async with serving(make_runtime(REPLICA, token=TOKEN)) as database:
        yield database


@pytest.fixture
async def caller(make_runtime: MakeRuntime, database: Database) -> Runtime:
    caller = make_runtime(f"{Service.AUTH_SERVICE}-0", token=TOKEN)
    route(caller, database.address, to=Service.USER_DB)
    return caller


@pytest.fixture(params=["own", "callee's"])
def holder(request: pytest.FixtureRequest, database: Database, caller: Runtime) -> Runtime:
    return database.runtime if request.param == "own" else caller


async def held(holder: Runtime, replica: str, count: int) -> None:
    """An order waits for OPENING_TIMEOUT_S, and goes on: on a busy machine some are late."""
    await holder.held_connections.converge({replica: count})
    await eventually(lambda: holder.held_connections.open([replica]) == {replica: count})


async def test_as_many_as_wanted_are_held(holder: Runtime, database: Database) -> None:
    for count in (1, 7, POOL_SIZE, 3):
        await held(holder, REPLICA, count)
        await eventually(lambda count=count: database.pool.checked_out() == count)  # type: ignore[misc]
    await holder.held_connections.converge({})
    assert holder.held_connections.idle
    await eventually(lambda: database.pool.checked_out() == 0)


async def test_a_refused_cursor_is_no_held_connection(
    make_runtime: MakeRuntime, database: Database
) -> None:
    stranger = make_runtime(f"{Service.ORDER_SERVICE}-0")
    route(stranger, database.address, to=Service.USER_DB)
    await stranger.held_connections.converge({REPLICA: 2})
    await eventually(
        lambda: all(one.task.done() for one in stranger.held_connections._held[REPLICA])
    )
    assert stranger.held_connections.open([REPLICA]) == {REPLICA: 0}
    assert database.pool.checked_out() == 0


async def test_asking_again_opens_no_more(holder: Runtime, database: Database) -> None:
    for _ in range(3):
        await held(holder, REPLICA, 4)
    assert database.pool.checked_out() == 4


async def test_connections_that_cannot_be_opened_are_not_counted(
    holder: Runtime, database: Database
) -> None:
    async with asyncio.timeout(GIVE_UP_S):  # The two that are too many never open.
        await holder.held_connections.converge({REPLICA: POOL_SIZE + 2})
    assert holder.held_connections.open([REPLICA]) == {REPLICA: POOL_SIZE}


async def test_a_hold_goes_on_trying_until_there_is_room(
    holder: Runtime, database: Database
) -> None:
    async with database.pool.connection():
        await holder.held_connections.converge({REPLICA: POOL_SIZE})
        assert holder.held_connections.open([REPLICA]) == {REPLICA: POOL_SIZE - 1}
    await eventually(lambda: holder.held_connections.open([REPLICA]) == {REPLICA: POOL_SIZE})


async def test_a_restarted_database_is_filled_again(
    caller: Runtime, make_runtime: MakeRuntime
) -> None:
    first = make_runtime(OTHER)
    async with serving(first) as database:
        route(caller, "http://127.0.0.1:1", database.address, to=Service.USER_DB)
        await held(caller, OTHER, 5)
    await eventually(lambda: caller.held_connections.open([OTHER]) == {OTHER: 0})
    async with serving(make_runtime(OTHER)) as database:
        route(caller, "http://127.0.0.1:1", database.address, to=Service.USER_DB)
        await held(caller, OTHER, 5)
        assert database.pool.checked_out() == 5


@pytest.mark.parametrize("address", [None, "http://127.0.0.1:1"])
async def test_a_callee_that_is_not_there_holds_nothing(
    make_runtime: MakeRuntime, address: str | None
) -> None:
    caller = make_runtime(f"{Service.AUTH_SERVICE}-0")
    route(caller, *([address] if address else []), to=Service.USER_DB)
    await caller.held_connections.converge({REPLICA: 3})
    assert caller.held_connections.open([REPLICA]) == {REPLICA: 0}


async def test_a_silent_callee_takes_no_more_than_its_time(make_runtime: MakeRuntime) -> None:
    caller = make_runtime(f"{Service.AUTH_SERVICE}-0")
    loop = asyncio.get_running_loop()
    async with Callee(None).listening() as callee:
        route(caller, callee.address, to=Service.USER_DB)
        started = loop.time()
        async with asyncio.timeout(GIVE_UP_S):
            await caller.held_connections.converge({REPLICA: 3})
        assert loop.time() - started > OPENING_TIMEOUT_S - 0.01
        assert caller.held_connections.open([REPLICA]) == {REPLICA: 0}
        await caller.held_connections.converge({})


async def test_a_process_without_a_pool_holds_nothing_of_its_own(
    make_runtime: MakeRuntime,
) -> None:
    caller = make_runtime(REPLICA)
    await caller.held_connections.converge({REPLICA: 3})
    assert caller.held_connections.open([REPLICA]) == {REPLICA: 0}


async def test_cursors_left_open_are_no_calls(caller: Runtime) -> None:
    await caller.held_connections.converge({REPLICA: 2})
    assert not next(iter(caller.metrics.called.collect())).samples
