"""Each fault on a live mesh: its symptoms, what cures it, and what only looks like a cure."""

from statistics import median

import pytest

from chaos.faults.db_connection_leak import DbConnectionLeak
from sre_autopilot.world.topology import Service
from tests.contract.conftest import BestOfThree, Play
from tests.contract.fault_rows import (
    AUTH,
    CALLERS_LEAK,
    CURES,
    GATEWAY,
    ITEMS_DB,
    OOM,
    OWN_LEAK,
    QUICK_CURES,
    RESTART,
    SCALE_UP,
    SYMPTOMS,
    TRAPS,
    USERS_DB,
    Cure,
    Symptom,
    Trap,
    rows,
    seed_whose_restart,
)
from tests.contract.played_episode import PlayedEpisode

CURE_STEP = 3
"""The step of every restart of AUTH whose cure is left to a draw."""


@pytest.mark.parametrize("row", rows(SYMPTOMS))
def test_a_fault_left_alone_breaks_its_service_and_the_callers(play: Play, row: Symptom) -> None:
    def shows_twice(episode: PlayedEpisode) -> bool:
        deaths = episode.memory_pct(AUTH).count(None) if row.fault is OOM else 2
        return episode.last_failing_step(row.visible_at) >= 8 and deaths >= 2

    episode = play(row.fault, steps=14, until=shows_twice)
    assert min(episode.failing_steps(row.visible_at)) <= 10
    assert episode.sla_missed_steps(GATEWAY)
    assert episode.last_failing_step(row.visible_at) >= 8
    assert not episode.recovered and episode.cured_at is None
    row.check(episode)


@pytest.mark.parametrize("row", rows(CURES, QUICK_CURES))
def test_a_cure_ends_the_fault(play: Play, row: Cure, best_of_three: BestOfThree) -> None:
    seed = seed_whose_restart(CURE_STEP, cures=True)

    def stays_well() -> bool:
        episode = play(row.fault, script=row.script, steps=row.cured_at + 4, seed=seed)
        assert episode.cured_at == row.cured_at
        return all(episode.last_failing_step(s) <= row.cured_at + 1 for s in Service)

    assert best_of_three(stays_well)


@pytest.mark.parametrize("row", rows(TRAPS, quick=set()))
def test_a_fault_comes_back_after_a_trap(play: Play, row: Trap) -> None:
    back_at = max(row.script) + 4

    def is_back(episode: PlayedEpisode) -> bool:
        return episode.last_failing_step(row.visible_at) >= back_at

    episode = play(row.fault, script=row.script, steps=back_at + 5, until=is_back)
    assert episode.cured_at is None and not episode.recovered
    assert is_back(episode)


def test_a_leak_raises_latency_before_calls_fail(play: Play, best_of_three: BestOfThree) -> None:
    def climbs() -> bool:
        episode = play(DbConnectionLeak(USERS_DB, USERS_DB, 8.0), steps=9)
        first_failing, p99_ms = min(episode.failing_steps(USERS_DB)), episode.p99_ms(USERS_DB)
        assert first_failing >= 6
        return max(p99_ms[first_failing - 3 : first_failing]) > 1.25 * median(p99_ms[:3])

    assert best_of_three(climbs)


def test_restarting_the_wrong_side_of_a_leak_helps_for_a_while(play: Play) -> None:
    episode = play(CALLERS_LEAK, script={7: (RESTART, ITEMS_DB)}, steps=14)
    failing = episode.failing_steps(ITEMS_DB)
    assert 6 in failing
    assert {9, 10}.isdisjoint(failing)
    assert max(failing) >= 12


def test_a_second_replica_takes_half_of_a_leak_for_a_while(play: Play) -> None:
    episode = play(OWN_LEAK, script={3: (SCALE_UP, USERS_DB)}, steps=14)
    errors = episode.errors(USERS_DB)
    assert sum(errors[6:8]) < sum(errors[12:14])


def test_a_restart_whose_draw_fails_leaves_the_memory_leak(play: Play) -> None:
    seed = seed_whose_restart(CURE_STEP, cures=False)
    episode = play(OOM, script={CURE_STEP: (RESTART, AUTH)}, steps=10, seed=seed)
    assert episode.cured_at is None
    assert None in episode.memory_pct(AUTH)[CURE_STEP + 1 :]
