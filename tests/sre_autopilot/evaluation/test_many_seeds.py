"""Every policy plays its seeds, at once or one by one, with the same scores."""

import pytest

from orchestrator.environment import Environment
from sre_autopilot.errors import UnknownName
from sre_autopilot.evaluation.many_seeds import VectorEvaluator
from sre_autopilot.models import SREAction
from sre_autopilot.policies import POLICY_NAMES, load_policy
from sre_autopilot.policies.play import play
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.simulator.engines import NUMPY
from sre_autopilot.world.vocabulary import ActionName, Tier

SEEDS = range(200_000, 200_003)


class Tracer:
    """Rolls back the service with the most calls in its spans, once; waits then."""

    name = "tracer"
    privileged = False
    needs_traces = True

    def begin(self, briefing):
        self._acted = False

    def act(self, observation):
        if self._acted or observation.step < 2:
            return SREAction(action=ActionName.WAIT)
        self._acted = True
        busiest = max(observation.trace_edges, key=lambda edge: edge.calls).callee
        return SREAction(action=ActionName.ROLLBACK, service_id=busiest)


TRACER = f"{__name__}:Tracer"


@pytest.fixture(scope="module")
def evaluator():
    return VectorEvaluator(SEEDS, NUMPY, "process")


def alone(name, tier):
    with Environment(SimulatorBackend) as environment:
        return [play(environment, load_policy(name), tier, seed)[1].total for seed in SEEDS]


@pytest.mark.parametrize("name", ["runbook", "belief", TRACER])
def test_scores_are_those_of_the_environment(evaluator, name):
    ended: list[int] = []
    scores = evaluator.scores(name, Tier.MEDIUM, ended.append)
    assert scores == pytest.approx(alone(name, Tier.MEDIUM))
    assert sum(ended) == len(SEEDS)


def test_episodes_name_policy_tier_and_seed_of_each_score(evaluator):
    episodes = evaluator.episodes("wait", Tier.HARD, lambda _: None)
    assert [(e.policy, e.tier, e.seed) for e in episodes] == [
        ("wait", Tier.HARD, seed) for seed in SEEDS
    ]
    scores = evaluator.scores("wait", Tier.HARD, lambda _: None)
    assert [e.score for e in episodes] == scores.tolist()


@pytest.mark.parametrize("name", POLICY_NAMES)
def test_shipped_policy_scores_between_the_lowest_and_the_highest(evaluator, name):
    scores = evaluator.scores(name, Tier.EXPERT, lambda _: None)
    assert len(scores) == len(SEEDS)
    assert ((scores > 0.0) & (scores < 1.0)).all()


@pytest.mark.parametrize(("engine", "simulator_of"), [("x", "process"), (NUMPY, "x")])
def test_unknown_engine_or_backend_is_named(engine, simulator_of):
    with pytest.raises(UnknownName, match="x"):
        VectorEvaluator(SEEDS, engine, simulator_of)
