"""Each action on a healthy mesh: what it costs in calls, for how long, and whom it spares."""

import pytest

from chaos.faults.noop import NoFault
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import BREAKER_STEPS, SCALE_UP_STEPS, ActionName
from tests.contract.conftest import Play
from tests.contract.played_episode import PlayedEpisode

TARGET = Service.PRODUCT_SERVICE
GATEWAY = Service.API_GATEWAY
NOT_CALLERS = (Service.AUTH_SERVICE, Service.USER_DB, Service.PAYMENT_GATEWAY)


def serving_replicas(episode: PlayedEpisode) -> list[int]:
    return [len(step.serving[TARGET]) for step in episode.steps]


@pytest.mark.quick
def test_restart_fails_every_call_for_one_step(play: Play) -> None:
    episode = play(NoFault(), script={2: (ActionName.RESTART, TARGET)}, steps=5)
    assert episode.errors(TARGET)[2] > 0.6
    assert {2} <= set(episode.failing_steps(TARGET)) <= {2, 3}
    assert all(episode.failing_steps(service) == [] for service in NOT_CALLERS)


def test_users_see_a_restart_of_the_gateway(play: Play) -> None:
    episode = play(NoFault(), script={2: (ActionName.RESTART, GATEWAY)}, steps=4)
    assert episode.errors(GATEWAY)[2] > 0.6
    assert {2} <= set(episode.failing_steps(GATEWAY)) <= {2, 3}


@pytest.mark.quick
def test_circuit_break_counts_as_errors_for_three_steps_and_spares_the_callers(play: Play) -> None:
    episode = play(NoFault(), script={2: (ActionName.CIRCUIT_BREAK, TARGET)}, steps=7)
    assert episode.failing_steps(TARGET) == list(range(2, 2 + BREAKER_STEPS))
    assert episode.failing_steps(GATEWAY) == []
    calls = episode.calls(TARGET)
    assert calls[3] == calls[4] == 0
    assert min(calls[1], calls[6]) > 0


@pytest.mark.quick
def test_scale_up_serves_from_the_third_step_after_without_a_lost_call(play: Play) -> None:
    episode = play(NoFault(), script={1: (ActionName.SCALE_UP, TARGET)}, steps=7)
    assert all(episode.failing_steps(service) == [] for service in Service)
    assert serving_replicas(episode) == [1] * (1 + SCALE_UP_STEPS) + [2] * 4


@pytest.mark.quick
def test_rollback_has_no_downtime(play: Play) -> None:
    episode = play(NoFault(), script={2: (ActionName.ROLLBACK, TARGET)}, steps=5)
    assert episode.failing_steps(TARGET) == []
    assert serving_replicas(episode)[2] == 1
    assert episode.steps[2].serving != episode.steps[1].serving
