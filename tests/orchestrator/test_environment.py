"""The loop, in the simulator: what is hidden stays hidden, bad input costs nothing."""

import json
from dataclasses import replace

import anyio
import pytest
from pydantic import ValidationError

from orchestrator.environment import Environment
from orchestrator.errors import (
    BackendError,
    EnvironmentClosed,
    EpisodeNotStarted,
    EpisodeOver,
)
from sre_autopilot import grading
from sre_autopilot.errors import InvalidAction, SREError, UnknownName
from sre_autopilot.models import SREAction
from sre_autopilot.policies import POLICY_NAMES, load_policy
from sre_autopilot.policies.play import play
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import MAX_STEPS, ActionName, FaultKind, FlapCause, Tier
from tests.watched_simulator import WatchedSimulator

WAIT = SREAction(action=ActionName.WAIT)


@pytest.fixture
def meshes():
    return []


@pytest.fixture
def environment(meshes, tmp_path):
    def make():
        meshes.append(WatchedSimulator())
        return meshes[-1]

    with Environment(make, record_dir=tmp_path) as made:
        yield made


def wait_to_the_end(environment):
    observation = environment.step(WAIT)
    while not observation.done:
        observation = environment.step(WAIT)
    return observation


def test_construction_costs_nothing(environment, meshes):
    assert meshes == []
    assert environment.state.episode_id is None


def test_an_episode_has_thirty_steps_and_one_reward(environment):
    rewards = [environment.reset(seed=1, task_tier=Tier.CONTROL).reward]
    for step in range(1, MAX_STEPS + 1):
        observation = environment.step(WAIT)
        assert observation.step == step == environment.state.step_count
        rewards.append(observation.reward)
    assert observation.done and environment.state.done
    assert set(rewards[:-1]) == {0.0}
    assert 0.9 < rewards[-1] < 1.0


def test_an_episode_ends_when_it_has_recovered(environment):
    record, score = play(environment, load_policy("oracle"), Tier.EASY, 3)
    assert len(record.steps) - 1 < MAX_STEPS
    assert score.recovered_at is not None and score.total > 0.85


class Dated(WatchedSimulator):
    """A mesh whose windows last a second, one after the other, and whose calls have a trace."""

    step_seconds = 1.0

    async def observe(self, step, open_breakers=()):
        window = await super().observe(step, open_breakers)
        calls = enumerate(window.edge_calls)
        traced = tuple(replace(call, trace_id=f"{i:032x}") for i, call in calls)
        return replace(window, edge_calls=traced, began_at=1e9 + step, ended_at=1e9 + step + 1)


def test_the_record_tells_when_each_window_was_and_of_a_trace_on_each_edge():
    with Environment(Dated) as environment:
        with pytest.raises(EpisodeNotStarted):
            _ = environment.step_seconds
        environment.reset(seed=4, task_tier=Tier.CONTROL)
        environment.step(WAIT)
        assert environment.step_seconds == Dated.step_seconds
        steps = environment.hidden_state().steps
    assert [(s.began_at, s.ended_at) for s in steps] == [(1e9, 1e9 + 1), (1e9 + 1, 1e9 + 2)]
    assert all(edge.trace_id for step in steps for edge in step.edges)


def test_the_same_seed_and_actions_give_the_same_faults_noise_and_score(environment):
    first = play(environment, load_policy("random"), Tier.EXPERT, 11)[0]
    again = play(environment, load_policy("random"), Tier.EXPERT, 11)[0]
    assert first.faults == again.faults
    assert [s.observed for s in first.steps] == [s.observed for s in again.steps]


@pytest.mark.parametrize("tier", Tier)
def test_a_recorded_episode_grades_to_the_same_score(environment, tier, tmp_path):
    _record, score = play(environment, load_policy("runbook"), tier, 5)
    (path,) = tmp_path.glob("*.jsonl")
    (read,) = grading.read_episodes(path.read_text().splitlines())
    assert grading.grade(read) == score


@pytest.mark.parametrize("tier", Tier)
def test_nothing_hidden_is_in_what_the_agent_sees(environment, tier):
    hidden = {*FaultKind, *FlapCause, "root", "fault", "cause", "seed", "tier"} - {FaultKind.NONE}
    for seed in range(3):
        observations = [environment.reset(seed=seed, task_tier=tier)]
        observations += [environment.step(WAIT) for _ in range(5)]
        text = json.dumps([o.model_dump(mode="json") for o in observations])
        text += environment.state.model_dump_json()
        assert not [word for word in hidden if word in text]


def test_bad_names_list_the_valid_ones_and_use_no_step(environment):
    environment.reset(seed=1)
    for action, valid in (
        ({"action": "reboot", "service_id": "user_db"}, ActionName),
        ({"action": "restart", "service_id": "users"}, Service),
        ({"action": ["restart"], "service_id": "user_db"}, ActionName),
        ({"action": "restart", "service": "user_db"}, ("action", "service_id")),
    ):
        with pytest.raises(UnknownName) as caught:
            environment.step(action)
        assert all(name in str(caught.value) for name in valid)
    for action, valid in (({"action": "restart"}, Service), ({}, ActionName)):
        with pytest.raises(InvalidAction) as incomplete:
            environment.step(action)
        assert all(name in str(incomplete.value) for name in valid)
    assert environment.state.step_count == 0
    assert environment.step(WAIT).step == 1


def test_an_unknown_tier_lists_the_tiers_and_leaves_the_episode_alone(environment):
    environment.reset(seed=1)
    with pytest.raises(UnknownName, match="easy, medium, hard, control, expert"):
        environment.reset(task_tier="impossible")
    assert environment.step(WAIT).step == 1


def test_an_unknown_policy_lists_the_policies():
    with pytest.raises(UnknownName, match=", ".join(POLICY_NAMES)):
        load_policy("genius")
    with pytest.raises(UnknownName, match="no_such_module"):
        load_policy("no_such_module:Policy")


def test_the_wire_model_lists_valid_values_too():
    with pytest.raises(ValidationError, match="circuit_break"):
        SREAction(action="reboot")


def test_a_step_needs_an_episode(environment):
    with pytest.raises(EpisodeNotStarted):
        environment.step(WAIT)
    with pytest.raises(EpisodeNotStarted):
        environment.hidden_state()


def test_a_step_after_the_last_is_an_error_and_reset_starts_anew(environment):
    environment.reset(seed=1, task_tier=Tier.CONTROL)
    wait_to_the_end(environment)
    with pytest.raises(EpisodeOver, match="30"):
        environment.step(WAIT)
    assert environment.reset(seed=2).step == 0


def test_a_reset_in_mid_episode_abandons_it_on_the_record(environment, tmp_path, meshes):
    environment.reset(seed=1, episode_id="one")
    environment.step(WAIT)
    environment.reset(seed=2, episode_id="two")
    (left,) = grading.read_episodes((tmp_path / "one.jsonl").read_text().splitlines())
    assert not left.finished and len(left.steps) == 2
    assert environment.state.episode_id == "two"
    assert len(meshes) == 1


def test_a_closed_environment_stays_closed(environment, meshes):
    environment.reset(seed=1)
    environment.close()
    environment.close()
    assert meshes[0].closed and not meshes[0].running
    for call in (environment.reset, lambda: environment.step(WAIT)):
        with pytest.raises(EnvironmentClosed):
            call()


def test_a_refused_action_uses_its_step_and_says_why(environment):
    environment.reset(seed=1, task_tier=Tier.CONTROL)
    refused = environment.step(
        SREAction(action=ActionName.CIRCUIT_BREAK, service_id=Service.API_GATEWAY)
    )
    assert refused.step == 1 and refused.cost_spent == 0
    assert "users" in refused.last_action_error
    assert environment.step(WAIT).last_action_error is None


def test_restarts_and_costs_are_counted_and_run_out(environment):
    observation = environment.reset(seed=1, task_tier=Tier.CONTROL)
    restart = SREAction(action=ActionName.RESTART, service_id=Service.USER_DB)
    for left in (4, 3, 2, 1, 0):
        observation = environment.step(restart)
        assert observation.remaining_restarts == left
        assert observation.last_action_error is None
    observation = environment.step(restart)
    assert observation.cost_spent == 5
    assert "5 restarts" in observation.last_action_error


def test_a_killed_replica_is_back_one_window_later(environment, meshes):
    environment.reset(seed=4, task_tier=Tier.EASY)
    root = environment.hidden_state().faults[0].root
    died = 0
    for _ in range(12):
        environment.step(WAIT)
        last = environment.hidden_state().steps[-1].true[root]
        died += last.memory_pct is None
        assert any(replica.service is root for replica in meshes[0].running)
    assert died >= 2


def test_the_action_history_holds_the_last_five(environment):
    environment.reset(seed=1, task_tier=Tier.CONTROL)
    for _ in range(7):
        observation = environment.step(WAIT)
    assert observation.action_history == [WAIT] * 5


def test_every_error_is_of_one_tree():
    for kind in (UnknownName, InvalidAction, EpisodeNotStarted, EpisodeOver, BackendError):
        assert issubclass(kind, SREError)


def test_async_callers_get_the_same_loop():
    async def scenario():
        environment = Environment(WatchedSimulator)
        await environment.reset_async(seed=1, task_tier=Tier.CONTROL)
        observation = await environment.step_async(WAIT)
        await environment.aclose()
        return observation

    assert anyio.run(scenario).step == 1
