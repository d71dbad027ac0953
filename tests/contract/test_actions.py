"""Each action on a healthy mesh: what it costs in calls, for how long, and whom it spares."""

import pytest

from chaos.faults.noop import NoFault
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import BREAKER_STEPS, SCALE_UP_STEPS, ActionName
from tests.contract.conftest import BestOfThree, Play
from tests.contract.played_episode import PlayedEpisode

TARGET = Service.PRODUCT_SERVICE
GATEWAY = Service.API_GATEWAY
NOT_CALLERS = (Service.AUTH_SERVICE, Service.USER_DB, Service.PAYMENT_GATEWAY)


def serving_replicas(episode: PlayedEpisode) -> list[int]:
    return [len(step.serving[TARGET]) for step in episode.steps]


@pytest.mark.quick
def test_restart_fails_every_call_for_one_step(play: Play, best_of_three: BestOfThree) -> None:
    def spares_others() -> bool:
        episode = play(NoFault(), script={2: (ActionName.RESTART, TARGET)}, steps=5)
        assert episode.errors(TARGET)[2] > 0.6
        return {2} <= set(episode.failing_steps(TARGET)) <= {2, 3} and all(
            episode.failing_steps(service) == [] for service in NOT_CALLERS
        )

    assert best_of_three(spares_others)


def test_users_see_a_restart_of_the_gateway(play: Play, best_of_three: BestOfThree) -> None:
    def lasts_one_step() -> bool:
        episode = play(NoFault(), script={2: (ActionName.RESTART, GATEWAY)}, steps=4)
        assert episode.errors(GATEWAY)[2] > 0.6
        return {2} <= set(episode.failing_steps(GATEWAY)) <= {2, 3}

    assert best_of_three(lasts_one_step)


@pytest.mark.quick
def test_circuit_break_counts_as_errors_for_three_steps_and_spares_the_callers(
    play: Play, best_of_three: BestOfThree
) -> None:
    def spares_callers() -> bool:
        episode = play(NoFault(), script={2: (ActionName.CIRCUIT_BREAK, TARGET)}, steps=7)
        calls, broken = episode.calls(TARGET), list(range(2, 2 + BREAKER_STEPS))
        assert set(broken) <= set(episode.failing_steps(TARGET))
        assert calls[3] == calls[4] == 0
        assert min(calls[1], calls[6]) > 0
        return episode.failing_steps(TARGET) == broken and episode.failing_steps(GATEWAY) == []

    assert best_of_three(spares_callers)


@pytest.mark.quick
def test_scale_up_serves_from_the_third_step_after_without_a_lost_call(
    play: Play, best_of_three: BestOfThree
) -> None:
    def loses_no_call() -> bool:
        episode = play(NoFault(), script={1: (ActionName.SCALE_UP, TARGET)}, steps=7)
        assert serving_replicas(episode) == [1] * (1 + SCALE_UP_STEPS) + [2] * 4
        return all(episode.failing_steps(service) == [] for service in Service)

    assert best_of_three(loses_no_call)


@pytest.mark.quick
def test_rollback_has_no_downtime(play: Play, best_of_three: BestOfThree) -> None:
    def loses_no_call() -> bool:
        episode = play(NoFault(), script={2: (ActionName.ROLLBACK, TARGET)}, steps=5)
        assert serving_replicas(episode)[2] == 1
        assert episode.steps[2].serving != episode.steps[1].serving
        return episode.failing_steps(TARGET) == []

    assert best_of_three(loses_no_call)
