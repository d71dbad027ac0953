"""Recorded episodes of the simulator replay to the same bytes."""

import pytest

from orchestrator.environment import Environment
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.world.vocabulary import DEFAULT_TIERS
from tests.sre_autopilot.simulator.golden_episodes import SEEDS, replayed, written

GOLDEN = written()
AGAIN = "if this is meant, write them anew: sre-autopilot dev golden-episodes"


@pytest.fixture(scope="module")
def environment():
    with Environment(SimulatorBackend) as environment:
        yield environment


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: f"{golden.tier}-{golden.seed}")
def test_an_episode_replays_to_the_same_bytes(environment, golden):
    assert replayed(environment, golden) == golden, AGAIN
    assert environment.state.done


def test_every_default_tier_has_its_seeds():
    assert [(g.tier, g.seed) for g in GOLDEN] == [(t, s) for t in DEFAULT_TIERS for s in SEEDS]
    assert len({golden.sha256 for golden in GOLDEN}) == len(GOLDEN)
