"""Rows of sessions and buckets in memory that several processes share."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.workers.shared_memory import NAME_BYTES, SharedMemory

ROWS = 3


@pytest.fixture
def memory():
    memory = SharedMemory.create(ROWS)
    yield memory
    os.close(memory.fd)


def test_names_have_their_owners_until_they_are_released(memory):
    assert memory.take(0, "a") and memory.take(2, "b")
    assert (memory.owner("a"), memory.owner("b"), memory.owner("c")) == (0, 2, None)
    memory.release(0, "a")
    memory.release(0, "a")
    assert memory.owner("a") is None and memory.in_use() == 1


def test_no_worker_releases_a_session_of_another(memory):
    memory.take(0, "a")
    memory.release(1, "a")
    assert memory.owner("a") == 0


def test_the_cap_holds_for_all_workers_together(memory):
    other = SharedMemory(os.dup(memory.fd))
    assert all(
        each.take(number, f"s{number}") for number, each in enumerate((memory, other, memory))
    )
    assert not memory.take(0, "more") and not other.take(1, "more")
    assert memory.in_use() == other.in_use() == ROWS
    other.release(1, "s1")
    assert memory.take(0, "more")
    os.close(other.fd)


def test_sessions_of_a_dead_worker_are_lost_until_begun_again(memory):
    for worker, name in ((0, "a"), (1, "b"), (1, "c")):
        memory.take(worker, name)
    assert memory.lose(1) == 2 and memory.in_use() == 1
    assert memory.is_lost("b") and memory.is_lost("c") and not memory.is_lost("a")
    assert memory.owner("b") is None
    memory.take(0, "b")
    assert not memory.is_lost("b") and memory.is_lost("c")


def test_of_lost_names_the_newest_are_remembered(memory):
    for number in range(2 * ROWS):
        memory.take(1, f"s{number}")
        memory.lose(1)
    lost = [number for number in range(2 * ROWS) if memory.is_lost(f"s{number}")]
    assert lost == [3, 4, 5]


@pytest.mark.parametrize("name", ["a", "x" * NAME_BYTES])
def test_a_name_is_no_part_of_a_longer_one(memory, name):
    memory.take(0, name)
    memory.take(1, "b" + name[:-1] if len(name) > 1 else "ba")
    assert memory.owner(name) == 0
    assert memory.owner(name + "x") is None


def test_buckets_are_the_same_in_all_processes_and_the_oldest_make_room(memory):
    memory.keep_bucket("client", 3.5, 100.0)
    child = os.fork()
    if child == 0:
        SharedMemory(memory.fd).keep_bucket("client", 2.5, 101.0)
        os._exit(0)
    os.waitpid(child, 0)
    assert memory.bucket("client") == (2.5, 101.0) and memory.bucket("other") is None
    for number in range(10_000):
        memory.keep_bucket(f"crowd {number}", 1.0, 50.0 + number / 1e6)
    assert memory.bucket("client") == (2.5, 101.0)


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["take", "release", "lose"]),
            st.integers(0, 2),
            st.sampled_from(["a", "b", "c", "ab", "x" * NAME_BYTES]),
        ),
        max_size=30,
    )
)
def test_the_table_does_what_a_dictionary_would(changes):
    memory = SharedMemory.create(ROWS)
    owners: dict[str, int] = {}
    lost: list[str] = []
    for change, worker, name in changes:
        if change == "take" and name not in owners:
            has_room = len(owners) < ROWS
            assert memory.take(worker, name) == has_room
            if has_room:
                owners[name] = worker
                lost = [other for other in lost if other != name]
        elif change == "release":
            memory.release(worker, name)
            if owners.get(name) == worker:
                del owners[name]
        elif change == "lose":
            gone = [other for other, owner in owners.items() if owner == worker]
            assert memory.lose(worker) == len(gone)
            owners = {other: owner for other, owner in owners.items() if owner != worker}
            lost += gone
        assert memory.in_use() == len(owners)
        for other in ("a", "b", "c", "ab"):
            assert memory.owner(other) == owners.get(other)
            assert not memory.is_lost(other) or other in lost
    os.close(memory.fd)


@pytest.mark.parametrize("name", ["", "x" * (NAME_BYTES + 1), "x" * 1000])
def test_a_text_that_is_no_name_is_nowhere(memory, name):
    memory.take(0, "x" * NAME_BYTES)
    assert memory.owner(name) is None
    assert not memory.is_lost(name)
    memory.release(0, name)
    assert memory.in_use() == 1


def test_every_server_has_a_token_of_its_own():
    memories = [SharedMemory.create(1) for _ in range(2)]
    assert memories[0].token != memories[1].token
    assert SharedMemory(memories[0].fd).token == memories[0].token
    for memory in memories:
        os.close(memory.fd)
