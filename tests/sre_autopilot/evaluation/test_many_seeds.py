"""Every policy plays its seeds, in lanes or out of them, and the bar hears of all of them."""

import pytest

from orchestrator.environment import Environment
from sre_autopilot.errors import UnknownName
from sre_autopilot.evaluation.many_seeds import Seeds
from sre_autopilot.models import SREAction
from sre_autopilot.policies import POLICY_NAMES, load_policy
from sre_autopilot.policies.play import play
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.simulator.engines import NUMPY
from sre_autopilot.world.vocabulary import ActionName, Tier

SEEDS = range(200_000, 200_003)


class Tracer:
    """Rolls back whom it sees called most, once; waits then."""

    name = "tracer"
    privileged = False

    def begin(self, briefing):
        self._acted = False

    def act(self, observation):
        if self._acted or observation.step < 2:
            return SREAction(action=ActionName.WAIT)
        self._acted = True
        busiest = max(observation.trace_edges, key=lambda edge: edge.calls).callee
        return SREAction(action=ActionName.ROLLBACK, service_id=busiest)


TRACER = f"{__name__}:Tracer"


@pytest.fixture
def seeds():
    with Seeds(SEEDS, NUMPY, "process") as seeds:
        yield seeds


def alone(name, tier):
    with Environment(SimulatorBackend) as environment:
        return [play(environment, load_policy(name), tier, seed)[1].total for seed in SEEDS]


@pytest.mark.parametrize("name", ["runbook", TRACER])
def test_scores_are_those_of_the_environment(seeds, name):
    heard: list[int] = []
    assert seeds.play(name, Tier.MEDIUM, heard.append) == pytest.approx(alone(name, Tier.MEDIUM))
    assert sum(heard) == len(SEEDS)


def test_who_reads_edges_is_not_asked_into_lanes_again(seeds, monkeypatch):
    first = seeds.play(TRACER, Tier.EASY, lambda _: None)
    monkeypatch.setattr(
        "sre_autopilot.evaluation.many_seeds.play_lanes", lambda *_: pytest.fail("asked")
    )
    assert list(seeds.play(TRACER, Tier.EASY, lambda _: None)) == list(first)


@pytest.mark.parametrize("name", POLICY_NAMES)
def test_every_shipped_policy_plays(seeds, name):
    scores = seeds.play(name, Tier.EXPERT, lambda _: None)
    assert len(scores) == len(SEEDS)
    assert ((scores > 0.0) & (scores < 1.0)).all()


@pytest.mark.parametrize(("engine", "simulator_of"), [("x", "process"), (NUMPY, "x")])
def test_what_is_not_known_is_named(engine, simulator_of):
    with pytest.raises(UnknownName, match="x"):
        Seeds(SEEDS, engine, simulator_of)
