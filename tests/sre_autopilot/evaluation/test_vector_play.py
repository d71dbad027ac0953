"""The vector simulator against the environment: policies observe, act and score alike in both."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from orchestrator.environment import Environment
from sre_autopilot.evaluation.diagnosis import Diagnosis
from sre_autopilot.evaluation.vector_play import play_batch
from sre_autopilot.models import SREObservation
from sre_autopilot.policies import load_policy
from sre_autopilot.policies.play import play
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.simulator.engines import NUMPY, make_engine
from sre_autopilot.simulator.lane_observations import MISSING_FIELDS, MissingField
from sre_autopilot.world.vocabulary import Tier

SEEDS = range(200_000, 200_002)
PLAYED = ("oracle", "runbook", "random")
"""One that reads the truth, one that reads observations, one that takes every action."""


@pytest.fixture(scope="module")
def environment():
    with Environment(SimulatorBackend) as environment:
        yield environment


@pytest.fixture(scope="module")
def lanes():
    return make_engine(NUMPY, "process", len(SEEDS))


class Watched:
    """Plays as another policy, and keeps what it observes.

    It gets a fresh seed of draws, as any policy of a user, and plays by its own instead.
    """

    def __init__(self, name, draw_seed=0, *, privileged=False, needs_traces=False):
        self.needs_traces = needs_traces
        self._draw_seed = draw_seed
        self._policy = load_policy(name)
        self.name, self.privileged = name, privileged
        self.observed: list[SREObservation] = []
        self.truths = []

    def begin(self, briefing):
        self._truth = briefing.truth
        self._policy.begin(replace(briefing, draw_seed=self._draw_seed))

    def act(self, observation):
        self.observed.append(observation)
        if self._truth is not None:
            cures = [(fault.cured_at, fault.cured_by) for fault in self._truth.fault_records]
            self.truths.append((self._truth.step, cures, self._truth.deployment))
        return self._policy.act(observation)


def both(environment, lanes, tier, **of):
    """A watched policy for each seed in the environment, and one for each in lanes."""
    alone = [Watched(draw_seed=seed, **of) for seed in SEEDS]
    for policy, seed in zip(alone, SEEDS, strict=True):
        play(environment, policy, tier, seed)
    together: list[Watched] = []

    def new():
        together.append(Watched(draw_seed=SEEDS[len(together)], **of))
        return together[-1]

    play_batch(lanes, new, tier, SEEDS)
    return zip(alone, together, strict=True)


def whole(steps):
    """None for nan."""
    return [None if np.isnan(step) else int(step) for step in steps]


def diagnosed(played):
    """The fields of Outcomes but the score, of a record."""
    record, score = played
    return (score.recovered_at, *Diagnosis.of(record).model_dump().values())


@pytest.mark.parametrize("tier", Tier)
def test_scores_are_those_of_the_environment(environment, lanes, tier):
    for name in PLAYED:
        alone = [play(environment, load_policy(name), tier, seed) for seed in SEEDS]
        together = play_batch(lanes, partial(load_policy, name), tier, SEEDS)
        scores = [score.total for _record, score in alone]
        assert together.score == pytest.approx(scores, abs=1e-9), name
        assert [*zip(*map(whole, together[1:]), strict=True)] == [*map(diagnosed, alone)], name


@pytest.mark.parametrize("tier", [Tier.EASY, Tier.EXPERT])
def test_policies_observe_the_same_as_in_the_environment_but_for_traces(environment, lanes, tier):
    fields = (
        set(SREObservation.model_fields) - {*MISSING_FIELDS} - {"last_action_error", "reward_hint"}
    )
    refusals = 0
    for alone, here in both(environment, lanes, tier, name="random"):
        for one, other in zip(alone.observed, here.observed, strict=True):
            assert {f: getattr(one, f) for f in fields} == {f: getattr(other, f) for f in fields}
            assert one.reward_hint == pytest.approx(other.reward_hint, abs=1e-9)
            assert (one.last_action_error is None) == (other.last_action_error is None)
            refusals += one.last_action_error is not None
    assert refusals


@pytest.mark.parametrize("tier", Tier)
def test_policies_that_need_traces_observe_all_that_they_do_in_the_environment(environment, tier):
    fields = set(SREObservation.model_fields) - {"last_action_error", "metadata"}
    tracing = make_engine(NUMPY, "process", len(SEEDS), keeps_calls=True)
    for alone, here in both(environment, tracing, tier, name="random", needs_traces=True):
        for one, other in zip(alone.observed, here.observed, strict=True):
            assert {f: getattr(one, f) for f in fields} == {f: getattr(other, f) for f in fields}


@pytest.mark.parametrize("tier", Tier)
def test_truth_in_a_briefing_follows_the_episode(environment, lanes, tier):
    for alone, here in both(environment, lanes, tier, name="random", privileged=True):
        assert alone.truths == here.truths
        assert len(alone.truths) > 1


def test_unprivileged_policies_get_no_truth(environment, lanes):
    for alone, here in both(environment, lanes, Tier.EASY, name="wait"):
        assert alone.truths == here.truths == []


@pytest.mark.parametrize("field", MISSING_FIELDS)
def test_missing_field_is_an_error_that_names_the_remedy(lanes, field):
    class Reads(Watched):
        def act(self, observation):
            return getattr(observation, field)

    with pytest.raises(MissingField, match=f"no {field}; .* needs_traces = True"):
        play_batch(lanes, lambda: Reads("wait"), Tier.EASY, SEEDS)


def test_other_attributes_are_unknown_as_usual(lanes):
    class Reads(Watched):
        def act(self, observation):
            return observation.weather

    with pytest.raises(AttributeError, match="weather") as raised:
        play_batch(lanes, lambda: Reads("wait"), Tier.EASY, SEEDS)
    assert not isinstance(raised.value, MissingField)


def test_playing_a_policy_again_in_the_same_lanes_gives_the_same_scores(lanes):
    once, again = (
        play_batch(lanes, partial(load_policy, "runbook"), Tier.HARD, SEEDS).score for _ in range(2)
    )
    np.testing.assert_array_equal(once, again)
