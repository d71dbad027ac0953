"""What each policy must and must not do; their scores are held by the score checks."""

import subprocess
import sys
from dataclasses import fields

import pytest

from orchestrator.environment import Environment
from orchestrator.episode import Episode, Plan
from sre_autopilot.errors import UnknownName
from sre_autopilot.models import SREAction
from sre_autopilot.policies import POLICIES, POLICY_NAMES, Briefing, brief, load_policy
from sre_autopilot.policies.play import play
from sre_autopilot.policies.policy import WAIT
from sre_autopilot.policies.random import Random
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import MAX_STEPS, ActionName, Tier


class Observer:
    """Waits, and checks what it gets."""

    name = "observer"
    privileged = False
    needs_traces = False

    def begin(self, briefing):
        assert briefing.truth is None

    def act(self, observation):
        assert set(observation.metrics) == set(Service)
        return SREAction(action=ActionName.WAIT)


class WithoutTraces:
    """A policy that does not say whether it needs traces."""

    name = "without_traces"
    privileged = False

    def begin(self, briefing): ...

    def act(self, observation): ...


class WithArguments(Observer):
    def __init__(self, threshold): ...


@pytest.fixture(scope="module")
def environment():
    with Environment(SimulatorBackend) as environment:
        yield environment


def plugin(policy_class):
    return f"{__name__}:{policy_class.__name__}"


@pytest.mark.parametrize("name", POLICY_NAMES)
def test_shipped_policy_is_registered_under_its_own_name(name):
    policy = load_policy(name)
    assert policy.name == name
    assert isinstance(policy.privileged, bool)
    assert isinstance(policy.needs_traces, bool)


def test_registry_is_data():
    assert all(":" in target for target in POLICIES.values())


@pytest.mark.parametrize("name", ["oracle", "runbook", "heuristic"])
def test_healthy_mesh_is_left_alone(environment, name):
    assert play(environment, load_policy(name), Tier.CONTROL, 9)[1].total > 0.95


def test_two_policies_of_one_name_share_nothing():
    one, other = load_policy("wait"), load_policy("wait")
    assert one is not other


def test_policy_of_a_user_plugs_in(environment):
    record, _score = play(environment, load_policy(plugin(Observer)), Tier.CONTROL, 1)
    assert len(record.steps) == MAX_STEPS + 1
    assert record.policy == Observer.name


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("genius", "unknown policy 'genius'; valid values: oracle, .*module:Class"),
        (plugin(WithoutTraces), "it has no needs_traces"),
        (plugin(WithArguments), "made without arguments: .*threshold"),
    ],
)
def test_policy_that_cannot_be_loaded_is_an_error_that_says_why(name, problem):
    with pytest.raises(UnknownName, match=problem):
        load_policy(name)


def test_oracle_without_the_truth_is_an_error():
    with pytest.raises(ValueError, match="truth"):
        load_policy("oracle").begin(Briefing(1))


def test_naming_and_loading_the_policies_imports_no_numpy():
    """NumPy starts threads, and the process backend forks."""
    code = (
        "import sys; from sre_autopilot.policies import POLICY_NAMES, load_policy; "
        "[load_policy(name) for name in POLICY_NAMES]; sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class Curious:
    name = "curious"
    privileged = False
    needs_traces = False

    def begin(self, briefing):
        self.briefing = briefing

    def act(self, observation):
        return WAIT


@pytest.mark.parametrize("privileged", [False, True])
def test_a_plugged_in_policy_is_told_neither_seed_nor_tier(privileged):
    policy, seeds = Curious(), set()
    truth = Episode(Plan("hidden", 7, Tier.EASY, (), "simulator"))
    policy.privileged = privileged
    for _ in range(3):
        brief(policy, 7, truth)
        seeds.add(policy.briefing.draw_seed)
        assert policy.briefing.truth is (truth if privileged else None)
    assert len(seeds) == 3 and 7 not in seeds
    assert {field.name for field in fields(policy.briefing)} == {"draw_seed", "truth"}


def test_a_shipped_policy_draws_by_the_seed_so_that_its_scores_repeat():
    policy = Random()
    brief(policy, 7)
    assert policy._seed == 7
