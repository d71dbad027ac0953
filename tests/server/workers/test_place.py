"""Homes of sessions: the owner's worker, else the one that the name decides."""

import os
from collections import Counter

import pytest

from server.workers.place import Place
from server.workers.shared_memory import SharedMemory

WORKERS = 4


@pytest.fixture
def places():
    memory = SharedMemory.create(8)
    yield [Place(number, tuple(range(9000, 9000 + WORKERS)), memory) for number in range(WORKERS)]
    os.close(memory.fd)


def test_all_workers_agree_on_the_home_of_a_new_name(places):
    for number in range(50):
        assert len({place.home(f"session-{number}") for place in places}) == 1


def test_names_are_spread_over_all_workers(places):
    homes = Counter(places[0].home(f"session-{number}") for number in range(1000))
    assert len(homes) == WORKERS
    assert min(homes.values()) > 150


def test_a_session_is_at_home_where_it_began(places):
    name = next(f"s{n}" for n in range(100) if places[0].home(f"s{n}") != 2)
    assert places[2].take(name)
    assert {place.home(name) for place in places} == {2}
    places[1].release(name)
    assert places[0].home(name) == 2, "only its own worker releases it"
    places[2].release(name)
    assert places[0].home(name) != 2


@pytest.mark.parametrize("name", ["", "\udc80", "n\u00e4me", "x" * 5000])
def test_any_text_has_a_home(places, name):
    assert 0 <= places[0].home(name) < WORKERS


def test_a_worker_is_reached_on_this_machine_alone(places):
    assert places[0].url(3) == "http://127.0.0.1:9003"
