"""Transitions of a deployment: what each makes of what runs, and what always holds."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_autopilot.world.deployment import Deployment, Replica, ReplicaId, initial_deployment
from sre_autopilot.world.topology import MAX_REPLICAS, Service
from sre_autopilot.world.vocabulary import BREAKER_STEPS, SCALE_UP_STEPS, Release

DB = Service.USER_DB
FIRST, SECOND = ReplicaId(DB, 0), ReplicaId(DB, 1)
START = initial_deployment()


def _indices(deployment: Deployment, step: int) -> list[int]:
    return [replica.id.index for replica in deployment.serving(DB, step)]


def test_at_first_one_replica_of_each_serves_on_the_current_release() -> None:
    assert [r.id for r in START] == [ReplicaId(service, 0) for service in Service]
    assert all(r == Replica(r.id, Release.CURRENT, 0, 0) for r in START)
    assert START.standby(DB) == SECOND
    assert str(SECOND) == "user_db-1"


def test_a_restarted_service_is_out_of_rotation_until_the_window_ends() -> None:
    restarted = START.restarted(DB, 4)
    assert restarted.serving(DB, 4) == ()
    assert restarted.first(DB).started_at == 4
    assert _indices(restarted.window_ended(), 5) == [0]


def test_restarted_touches_both_replicas_and_no_other_service() -> None:
    restarted = START.scaled_up(DB, 1).restarted(DB, 6)
    assert [r.started_at for r in restarted.replicas[DB]] == [6, 6]
    assert {r.started_at for r in restarted if r.id.service is not DB} == {0}
    assert all(restarted.serving(s, 6) for s in Service if s is not DB)


def test_restarted_does_not_hurry_a_replica_that_starts() -> None:
    restarted = START.scaled_up(DB, 1).restarted(DB, 2).window_ended()
    assert _indices(restarted, 3) == [0]
    assert _indices(restarted, 1 + SCALE_UP_STEPS) == [0, 1]


def test_revived_starts_one_replica_and_keeps_it_in_rotation() -> None:
    revived = START.scaled_up(DB, 1).revived(FIRST, 7)
    assert [r.started_at for r in revived.replicas[DB]] == [7, 1]
    assert _indices(revived, 7) == [0, 1]


def test_scaled_up_serves_from_the_third_step_after() -> None:
    scaled = START.scaled_up(DB, 5)
    assert [_indices(scaled, step) for step in (5, 7, 8)] == [[0], [0], [0, 1]]
    assert scaled.standby(DB) is None
    with pytest.raises(AssertionError, match="capacity"):
        scaled.scaled_up(DB, 6)


def test_scaled_up_takes_the_release_that_runs() -> None:
    assert {r.release for r in START.scaled_up(DB, 1).replicas[DB]} == {Release.CURRENT}
    later = START.rolled_back(DB, 1).scaled_up(DB, 2)
    assert {r.release for r in later.replicas[DB]} == {Release.LAST_GOOD}


def test_rolled_back_swaps_at_once_and_without_a_gap() -> None:
    back = START.rolled_back(DB, 3)
    assert back.serving(DB, 3) == (Replica(SECOND, Release.LAST_GOOD, 3, 3),)
    assert back.standby(DB) == FIRST
    assert back.rolled_back(DB, 9).first(DB).id == FIRST


def test_rolled_back_from_two_replicas_leaves_one() -> None:
    back = START.scaled_up(DB, 1).rolled_back(DB, 2)
    assert back.serving(DB, 2) == (Replica(SECOND, Release.LAST_GOOD, 2, 2),)
    assert back.standby(DB) == FIRST


def test_a_breaker_is_open_for_its_steps() -> None:
    broken = START.broken(DB, 2)
    assert [broken.breaker_open(DB, step) for step in range(2, 2 + BREAKER_STEPS + 1)] == [
        *[True] * BREAKER_STEPS,
        False,
    ]
    assert broken.open_breakers(2) == (DB,)
    assert START.open_breakers(0) == ()


def test_breakers_outlive_other_changes() -> None:
    changed = START.broken(DB, 2).restarted(DB, 3).window_ended().rolled_back(DB, 4)
    assert changed.breaker_open(DB, 4)


Transition = Callable[[Deployment, Service, int], Deployment]


def _scaled_up_if_it_can(deployment: Deployment, service: Service, step: int) -> Deployment:
    can = deployment.standby(service) is not None
    return deployment.scaled_up(service, step) if can else deployment


TRANSITIONS: tuple[Transition, ...] = (
    Deployment.restarted,
    Deployment.rolled_back,
    Deployment.broken,
    _scaled_up_if_it_can,
    lambda deployment, service, step: deployment.revived(deployment.first(service).id, step),
)


@given(st.lists(st.tuples(st.sampled_from(TRANSITIONS), st.sampled_from(Service)), max_size=30))
def test_invariants_of_a_deployment(changes: list[tuple[Transition, Service]]) -> None:
    deployment = START
    for step, (change, service) in enumerate(changes, start=1):
        before = {s: deployment.replicas[s] for s in Service if s is not service}
        deployment = change(deployment, service, step).window_ended()
        replicas = deployment.replicas[service]
        assert 1 <= len({r.id.index for r in replicas}) == len(replicas) <= MAX_REPLICAS
        assert len({r.release for r in replicas}) == 1
        assert all(r.started_at <= step for r in replicas)
        assert deployment.serving(service, step), "somebody always serves after the window"
        assert before == {s: deployment.replicas[s] for s in before}
    assert initial_deployment() == START


def test_the_name_of_a_replica_is_read_back() -> None:
    for replica in (FIRST, SECOND):
        assert ReplicaId.parse(str(replica)) == replica


@pytest.mark.parametrize("name", ["", "users", "nothing-0", f"{DB}-", f"{DB}-x"])
def test_a_name_of_no_replica_is_refused(name: str) -> None:
    with pytest.raises(ValueError):
        ReplicaId.parse(name)
