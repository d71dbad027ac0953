"""A mesh without a fault, waited on for eight steps: traffic, call graph, spans and latency."""

from itertools import chain
from statistics import median

import pytest

from chaos.faults.noop import NoFault
from sre_autopilot.world.topology import ARRIVALS_PER_S, CALL_TIMEOUT_S, CALLS, USERS, Service
from tests.contract.conftest import BestOfThree, Play
from tests.contract.played_episode import PlayedEpisode

# One worker plays the episode that all of them look at.
pytestmark = [pytest.mark.quick, pytest.mark.xdist_group("an episode without a fault")]


@pytest.fixture(scope="module")
def episode(play: Play) -> PlayedEpisode:
    return play(NoFault(), steps=8)


def test_spans_show_the_whole_call_graph_and_nothing_else(episode: PlayedEpisode) -> None:
    spans = {(edge.caller, edge.callee) for step in episode.steps for edge in step.edges}
    graph = {(caller, callee) for caller, callees in CALLS.items() for callee in callees}
    assert spans == graph | {(USERS, Service.API_GATEWAY)}


def test_the_callee_s_span_is_the_child_of_the_caller_s(episode: PlayedEpisode) -> None:
    edges = [edge for step in episode.steps for edge in step.edges]
    for callee in Service:
        served = sum(edge.served for edge in edges if edge.callee == callee)
        calls = sum(edge.calls for edge in edges if edge.callee == callee)
        assert served > 0.9 * calls > 0


def test_the_median_window_loses_no_call_and_meets_the_time_out(episode: PlayedEpisode) -> None:
    for service in Service:
        assert median(episode.p99_ms(service)) < 1000.0 * CALL_TIMEOUT_S
        assert median(episode.errors(service)) == 0.0


def test_waiting_changes_nothing(
    episode: PlayedEpisode, play: Play, best_of_three: BestOfThree
) -> None:
    episodes = chain([episode], iter(lambda: play(NoFault(), steps=8), None))

    def loses_no_call() -> bool:
        waited = next(episodes)
        return all(waited.failing_steps(service) == [] for service in Service)

    assert best_of_three(loses_no_call)


def test_windows_hold_the_traffic_that_was_sent(episode: PlayedEpisode) -> None:
    at_the_gateway = sum(episode.calls(Service.API_GATEWAY))
    browsing = sum(episode.calls(Service.PRODUCT_SERVICE))
    lasted_s = sum(
        step.ended_at - step.began_at
        for step in episode.steps
        if step.ended_at is not None and step.began_at is not None
    )
    assert 0.5 * lasted_s * ARRIVALS_PER_S < at_the_gateway < 1.5 * lasted_s * ARRIVALS_PER_S
    assert 0.3 < browsing / at_the_gateway < 0.7
