"""The dense hint: from what the agent sees, and from nothing else."""

import pytest

from orchestrator.reward import RESOLUTION_BONUS, hint, sla_compliance
from sre_autopilot.world.topology import ENTRY, Service

WELL = dict.fromkeys(Service, True)
QUIET = dict.fromkeys(Service, 0.0)


def broken(*services):
    return {service: service not in services for service in Service}


def test_compliance_counts_the_gateway_twice():
    assert sla_compliance(WELL) == 1.0
    assert sla_compliance(broken(ENTRY)) == pytest.approx(6 / 8)
    assert sla_compliance(broken(Service.USER_DB)) == pytest.approx(7 / 8)


def test_reward_hint_of_a_healthy_mesh_is_one():
    breakdown = hint([WELL], QUIET, cost=0)
    assert breakdown.total == breakdown.sla_compliance == 1.0
    assert breakdown.cost_penalty == breakdown.downtime_penalty == breakdown.resolution_bonus == 0.0


def test_the_cost_of_an_action_is_taken_off():
    assert hint([WELL], QUIET, cost=8).cost_penalty == -0.8


def test_a_service_that_fails_half_its_calls_is_down():
    breakdown = hint([WELL], {**QUIET, Service.USER_DB: 0.5, Service.AUTH_SERVICE: 0.49}, cost=0)
    assert breakdown.downtime_penalty == pytest.approx(-1 / 7, abs=1e-4)


def test_a_value_that_did_not_arrive_is_not_down():
    assert hint([WELL], dict.fromkeys(Service), cost=0).downtime_penalty == 0.0


@pytest.mark.parametrize(
    ("statuses", "bonus"),
    [
        ([broken(ENTRY), WELL, WELL, WELL], RESOLUTION_BONUS),
        ([broken(ENTRY), WELL, WELL], 0.0),
        ([WELL] * 6, 0.0),
        ([broken(ENTRY), WELL, WELL, WELL, broken(ENTRY)], 0.0),
    ],
)
def test_the_bonus_needs_three_good_windows_after_a_bad_one(statuses, bonus):
    assert hint(statuses, QUIET, cost=0).resolution_bonus == bonus


def test_the_total_is_the_sum_of_its_terms():
    breakdown = hint([broken(ENTRY)], {**QUIET, ENTRY: 0.9}, cost=2)
    terms = breakdown.model_dump(exclude={"total"}).values()
    assert breakdown.total == pytest.approx(sum(terms), abs=1e-3)
