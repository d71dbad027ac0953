"""The tables of two workers that have their sessions together; no server runs."""

import os

import pytest

from orchestrator.errors import EpisodeNotStarted, LeaseEnded, SessionLost, UnknownSession
from orchestrator.settings import Settings
from server.environment import SREEnvironment
from server.monitoring import Monitoring
from server.openenv_compat import SessionCapacityError
from server.schemas import DEFAULT_SESSION
from server.sessions import SessionServer
from server.workers.place import Place
from server.workers.shared_memory import SharedMemory
from sre_autopilot.world.close_codes import CloseCode
from tests.watched_simulator import WatchedSimulator

CAP, LEASE_S = 2, 60.0
pytestmark = pytest.mark.anyio


def make(name):
    return SREEnvironment(Settings(), Monitoring(), name, lambda _settings: WatchedSimulator)


@pytest.fixture
def memory():
    memory = SharedMemory.create(CAP)
    yield memory
    os.close(memory.fd)


@pytest.fixture
def tables(memory):
    places = [Place(number, (9001, 9002), memory) for number in range(2)]
    return [SessionServer(make, CAP, LEASE_S, place=place) for place in places]


async def test_a_session_has_its_row_from_its_beginning_to_its_end(memory, tables):
    name, _ = await tables[1].create("one")
    assert memory.owner(name) == 1
    assert [table.in_use for table in tables] == [1, 1]
    await tables[1].destroy(name)
    assert memory.owner(name) is None
    assert [table.in_use for table in tables] == [0, 0]


async def test_tables_have_their_cap_together(tables):
    await tables[0].create("one")
    await tables[1].create("two")
    for table in tables:
        with pytest.raises(SessionCapacityError) as refusal:
            await table.create("three")
        assert (refusal.value.active_sessions, refusal.value.max_sessions) == (CAP, CAP)
        assert refusal.value.retry_after_s >= LEASE_S
    await tables[0].destroy("one")
    await tables[1].create("three")


async def test_a_session_that_is_refused_leaves_nothing(tables):
    await tables[0].create("one")
    await tables[0].create("two")
    with pytest.raises(SessionCapacityError):
        await tables[1].create("three")
    assert tables[1].names == frozenset()
    assert tables[1].absence("three")[0] is CloseCode.UNKNOWN_SESSION


async def test_a_session_that_is_there_takes_no_second_row(memory, tables):
    for _ in range(3):
        await tables[0].create("one")
    assert memory.in_use() == 1


async def test_all_sessions_of_a_table_are_released_with_it(memory, tables):
    async with tables[0].running():
        await tables[0].create("one")
        await tables[0].create("two")
        assert memory.in_use() == CAP
    assert memory.in_use() == 0


async def test_a_temporary_session_counts_while_it_lasts(memory, tables):
    async with tables[1].temporary():
        assert tables[0].in_use == 1
    assert tables[0].in_use == 0


async def test_sessions_of_a_dead_worker_are_lost_to_the_others(memory, tables):
    await tables[0].create("one")
    memory.lose(0)
    with pytest.raises(SessionLost, match="process of the server") as error:
        tables[1].find("one")
    assert error.value.session_id == "one"
    code, reason = tables[1].absence("one")
    assert code is CloseCode.SESSION_LOST and "reset begins one" in reason


async def test_a_lost_session_may_begin_again(memory, tables):
    await tables[0].create("one")
    memory.lose(0)
    await tables[1].create("one")
    assert memory.owner("one") == 1
    tables[1].find("one")


async def test_a_lost_default_session_is_no_session_without_an_episode(memory, tables):
    with pytest.raises(EpisodeNotStarted):
        tables[1].find_started(DEFAULT_SESSION)
    await tables[0].create(DEFAULT_SESSION)
    memory.lose(0)
    with pytest.raises(SessionLost):
        tables[1].find_started(DEFAULT_SESSION)


async def test_a_lease_that_ended_is_no_loss(memory, tables):
    tables[0]._remember_lease("late")
    assert tables[0].absence("late")[0] is CloseCode.LEASE_ENDED
    with pytest.raises(LeaseEnded):
        tables[0].find("late")
    with pytest.raises(UnknownSession):
        tables[1].find("late")


async def test_a_table_of_one_process_shares_nothing(memory):
    alone = SessionServer(make, CAP, LEASE_S)
    assert alone.in_use == 0 == memory.in_use()
    assert alone.absence("one")[0] is CloseCode.UNKNOWN_SESSION
