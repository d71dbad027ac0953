"""Rows of observations: where each value stands, and what stands for none."""

import numpy as np

from orchestrator.environment import Environment
from sre_autopilot.history import row_layout as layout
from sre_autopilot.history.rows import row_of
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.simulator.rules import window_arrays
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import MAX_RESTARTS, ActionName, Tier


def test_the_layout_is_that_of_the_rules():
    assert layout.METRIC_COUNT == window_arrays.METRIC_COUNT
    assert layout.SERVICE_COUNT == window_arrays.SERVICE_COUNT
    assert (layout.FEATURE_COUNT, layout.MASK_SIZE, layout.SPAN_COUNT) == (41, 35, 21)


def test_values_stand_by_metric_then_service():
    with Environment(SimulatorBackend) as environment:
        observation = environment.reset(seed=2, task_tier=Tier.EASY)
    row = row_of(observation)
    for place, service in enumerate(Service):
        metrics = observation.metrics[service]
        expected = [metrics.latency_p99, metrics.error_rate, metrics.cpu_pct, metrics.memory_pct]
        of_service = row[place : layout.METRIC_COUNT : layout.SERVICE_COUNT]
        np.testing.assert_array_equal(
            of_service, np.array([layout.MISSING if v is None else v for v in expected], np.float32)
        )
    verdicts = row[layout.VERDICT_FEATURES :][: layout.SERVICE_COUNT]
    assert list(verdicts) == list(observation.sla_status.values())
    assert row[layout.RESTARTS_LEFT_FEATURE] == MAX_RESTARTS
    assert row[layout.ACTION_FEATURE] == list(ActionName).index(ActionName.WAIT)


def test_the_last_action_and_its_refusal_are_in_the_row():
    with Environment(SimulatorBackend) as environment:
        environment.reset(seed=2, task_tier=Tier.EASY)
        action = {"action": ActionName.CIRCUIT_BREAK, "service_id": Service.API_GATEWAY}
        row = row_of(environment.step(action))
        assert row[layout.REFUSED_FEATURE] == 1.0
        action = {"action": ActionName.ROLLBACK, "service_id": Service.USER_DB}
        row = row_of(environment.step(action))
    actions, services = list(ActionName), list(Service)
    assert row[layout.ACTION_FEATURE] == actions.index(ActionName.ROLLBACK)
    assert row[layout.SERVICE_FEATURE] == services.index(Service.USER_DB)
    assert row[layout.REFUSED_FEATURE] == 0.0 and row[layout.COST_FEATURE] == 8


def test_an_edge_without_a_call_has_neither_rate_nor_latency():
    with Environment(SimulatorBackend) as environment:
        observation = environment.reset(seed=2, task_tier=Tier.EASY)
    row = row_of(observation.model_copy(update={"trace_edges": []}), trace_edges=True)
    spans = row[layout.FEATURE_COUNT :].reshape(len(layout.SPAN_FIELDS), -1)
    assert not spans[0].any() and (spans[1:] == layout.MISSING).all()
