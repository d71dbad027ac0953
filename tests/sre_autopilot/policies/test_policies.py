"""Policies on a mesh made of paper: their order, their bounds, and what each must not do."""

import statistics
from functools import cache

import pytest

from orchestrator.environment import Environment
from sre_autopilot.models import SREAction
from sre_autopilot.policies import POLICY_NAMES, Briefing, load_policy
from sre_autopilot.policies.play import play
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import FAULTY_TIERS, MAX_STEPS, ActionName, Tier
from tests.paper_mesh import PaperMesh

SEEDS = range(21)


@cache
def score(name, tier):
    """Mean over the seeds."""
    with Environment(PaperMesh) as environment:
        policy = load_policy(name)
        return statistics.mean(play(environment, policy, tier, seed)[1].total for seed in SEEDS)


@pytest.mark.parametrize("tier", FAULTY_TIERS)
def test_knowing_beats_looking_beats_guessing(tier):
    assert score("oracle", tier) >= 0.85
    assert score("oracle", tier) > score("runbook", tier) > score("heuristic", tier)
    assert score("runbook", tier) > score("random", tier)


@pytest.mark.parametrize("tier", FAULTY_TIERS)
def test_waiting_and_sweeping_do_not_pay(tier):
    blind = [name for name in POLICY_NAMES if name == "wait" or name.startswith("sweep")]
    assert len(blind) == 5
    for name in blind:
        assert score(name, tier) < 0.6


@pytest.mark.parametrize(
    ("name", "tier"),
    [
        ("both_databases_restarted", Tier.MEDIUM),
        ("payment_everything_tried", Tier.HARD),
        ("payment_rolled_back", Tier.HARD),
    ],
)
def test_knowing_the_tier_by_heart_is_not_enough(name, tier):
    assert score(name, tier) < 0.7


def test_nobody_touches_a_healthy_mesh_for_long():
    with Environment(PaperMesh) as environment:
        for name in ("oracle", "runbook", "heuristic"):
            assert play(environment, load_policy(name), Tier.CONTROL, 9)[1].total > 0.95


def test_two_policies_of_one_name_share_nothing():
    one, other = load_policy("wait"), load_policy("wait")
    assert one is not other


def test_a_policy_of_somebody_else_plugs_in():
    policy = load_policy("tests.sre_autopilot.policies.test_policies:Nurse")
    with Environment(PaperMesh) as environment:
        record, _score = play(environment, policy, Tier.CONTROL, 1)
    assert len(record.steps) == MAX_STEPS + 1
    assert record.policy == "nurse"


def test_the_oracle_needs_the_truth():
    with pytest.raises(ValueError, match="truth"):
        load_policy("oracle").begin(Briefing(1, Tier.EASY))


class Nurse:
    """Watches."""

    name = "nurse"
    privileged = False

    def begin(self, briefing):
        assert briefing.truth is None

    def act(self, observation):
        assert set(observation.metrics) == set(Service)
        return SREAction(action=ActionName.WAIT)
