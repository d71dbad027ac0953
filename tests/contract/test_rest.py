"""A healthy mesh, left alone: what every fault is seen against."""

import statistics

import pytest

from chaos.faults.noop import NoFault
from services.mesh.topology import ARRIVALS_PER_S, CALL_TIMEOUT_S, CALLS, USERS, Service


@pytest.fixture(scope="module")
def story(told):
    return told(NoFault(), steps=8)


def test_the_call_graph_is_seen_whole_and_nothing_else(story):
    seen = {(edge.caller, edge.callee) for step in story.steps() for edge in step.edges}
    graph = {(caller, callee) for caller, callees in CALLS.items() for callee in callees}
    assert seen == graph | {(USERS, Service.API_GATEWAY)}


def test_the_callee_s_span_is_the_child_of_the_caller_s(story):
    edges = [edge for step in story.steps() for edge in step.edges]
    for callee in Service:
        served, calls = (
            sum(getattr(edge, what) for edge in edges if edge.callee == callee)
            for what in ("served", "calls")
        )
        assert served > 0.9 * calls > 0


def test_the_middle_window_loses_no_call_and_keeps_clear_of_the_time_out(story):
    for service in Service:
        assert statistics.median(story.p99(service)) < 1000.0 * CALL_TIMEOUT_S
        assert statistics.median(story.errors(service)) == 0.0


def test_windows_hold_the_traffic_that_was_sent(story):
    at_the_gateway = sum(step.true[Service.API_GATEWAY].calls for step in story.steps())
    browsing = sum(step.true[Service.PRODUCT_SERVICE].calls for step in story.steps())
    lasted_s = sum(step.duration_s for step in story.steps())
    assert 0.5 * lasted_s * ARRIVALS_PER_S < at_the_gateway < 1.5 * lasted_s * ARRIVALS_PER_S
    assert 0.3 < browsing / at_the_gateway < 0.7
