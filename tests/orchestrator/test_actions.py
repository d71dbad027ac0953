"""Actions as pure moves of the deployment, and what the world refuses."""

import pytest

from orchestrator.actions import ACTIONS, Situation
from sre_autopilot.world.deployment import ReplicaId, initial_deployment
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import BREAKER_STEPS, SCALE_UP_STEPS, ActionName, Release

SERVICE = Service.ORDER_SERVICE
FIRST, STANDBY = ReplicaId(SERVICE, 0), ReplicaId(SERVICE, 1)


def situation(deployment=None, step=1, remaining_restarts=5):
    return Situation(deployment or initial_deployment(), step, remaining_restarts)


def refusal(name, where):
    """Why `name` is refused there; "" where it is not."""
    return ACTIONS[name].refusal(SERVICE, where) or ""


def after(name, where):
    assert ACTIONS[name].refusal(SERVICE, where) is None
    return ACTIONS[name].apply(SERVICE, where)


def test_every_action_name_has_exactly_one_action():
    assert set(ACTIONS) == set(ActionName)


def test_wait_moves_nothing():
    where = situation()
    assert ACTIONS[ActionName.WAIT].apply(SERVICE, where) is where.deployment


def test_restart_starts_anew_and_is_held_out_until_the_window_ends():
    deployment = after(ActionName.RESTART, situation(step=4))
    assert deployment.first(SERVICE).started_at == 4
    assert deployment.serving(SERVICE, 4) == ()
    assert [r.id for r in deployment.window_ended().serving(SERVICE, 4)] == [FIRST]


def test_restart_takes_both_replicas():
    scaled = after(ActionName.SCALE_UP, situation(step=1))
    restarted = after(ActionName.RESTART, situation(scaled, step=6))
    assert [replica.started_at for replica in restarted.replicas[SERVICE]] == [6, 6]


def test_restart_is_refused_without_restarts_left():
    refusal = ACTIONS[ActionName.RESTART].refusal(SERVICE, situation(remaining_restarts=0))
    assert refusal is not None and SERVICE in refusal


def test_scale_up_serves_from_the_third_step_after():
    deployment = after(ActionName.SCALE_UP, situation(step=2))
    for step in range(2, 2 + SCALE_UP_STEPS):
        assert [r.id for r in deployment.serving(SERVICE, step)] == [FIRST]
    assert [r.id for r in deployment.serving(SERVICE, 5)] == [FIRST, STANDBY]


def test_scale_up_is_refused_at_capacity():
    deployment = after(ActionName.SCALE_UP, situation())
    assert "capacity" in refusal(ActionName.SCALE_UP, situation(deployment))


def test_scale_up_after_a_rollback_joins_on_the_release_that_runs():
    rolled_back = after(ActionName.ROLLBACK, situation(step=1))
    scaled = after(ActionName.SCALE_UP, situation(rolled_back, step=2))
    assert {r.release for r in scaled.replicas[SERVICE]} == {Release.LAST_GOOD}


def test_circuit_break_holds_for_three_windows():
    deployment = after(ActionName.CIRCUIT_BREAK, situation(step=5))
    held = [step for step in range(20) if deployment.breaker_open(SERVICE, step) and step >= 5]
    assert held == list(range(5, 5 + BREAKER_STEPS))


def test_circuit_break_is_refused_at_the_gateway():
    refusal = ACTIONS[ActionName.CIRCUIT_BREAK].refusal(Service.API_GATEWAY, situation())
    assert refusal is not None and "users" in refusal


def test_rollback_hands_over_to_the_standby_at_once():
    deployment = after(ActionName.ROLLBACK, situation(step=3))
    (replica,) = deployment.serving(SERVICE, 3)
    assert (replica.id, replica.release) == (STANDBY, Release.LAST_GOOD)
    assert deployment.standby(SERVICE) == FIRST


def test_rollback_of_two_replicas_leaves_one_on_the_last_good_release():
    scaled = after(ActionName.SCALE_UP, situation(step=1))
    deployment = after(ActionName.ROLLBACK, situation(scaled, step=4))
    (replica,) = deployment.replicas[SERVICE]
    assert replica.release is Release.LAST_GOOD


def test_rollback_is_refused_while_the_standby_is_starting():
    scaled = after(ActionName.SCALE_UP, situation(step=1))
    assert "busy" in refusal(ActionName.ROLLBACK, situation(scaled, step=3))


def test_rollback_is_refused_twice():
    deployment = after(ActionName.ROLLBACK, situation())
    assert "already" in refusal(ActionName.ROLLBACK, situation(deployment))


@pytest.mark.parametrize("name", ActionName)
def test_actions_touch_no_other_service(name):
    before = initial_deployment()
    deployment = ACTIONS[name].apply(SERVICE, situation(before))
    for service in set(Service) - {SERVICE}:
        assert deployment.replicas[service] == before.replicas[service]
        assert not deployment.breaker_open(service, 1)
