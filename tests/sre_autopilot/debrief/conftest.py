"""Records of the simulator, played once."""

from functools import cache

import pytest

from orchestrator.environment import Environment
from sre_autopilot.grading import EpisodeRecord
from sre_autopilot.policies import load_policy
from sre_autopilot.policies.play import play
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.world.vocabulary import Tier


@pytest.fixture(scope="session")
def record_of():
    """`record_of(policy, tier, seed)`: the record of an episode that a policy plays."""
    with Environment(SimulatorBackend) as environment:

        @cache
        def record_of(policy: str, tier: Tier, seed: int) -> EpisodeRecord:
            return play(environment, load_policy(policy), tier, seed)[0]

        yield record_of
