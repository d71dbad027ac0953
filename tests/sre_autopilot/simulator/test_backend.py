"""The simulator behind the API: the same bytes every time, at a cost of nothing while it waits."""

import subprocess
import sys

import pytest

from orchestrator.backends import make_backend
from orchestrator.environment import Environment
from orchestrator.reconcile import routing_of
from orchestrator.settings import Settings
from sre_autopilot.grading import EpisodeRecord
from sre_autopilot.policies import load_policy
from sre_autopilot.policies.play import play
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.world.deployment import ReplicaId, initial_deployment
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import Tier

DB = ReplicaId(Service.USER_DB, 0)
ALL = routing_of(initial_deployment(), 0, frozenset())


def comparable(record: EpisodeRecord) -> str:
    """A record as JSON, without what the clock and the caller decide."""
    steps = [step.model_copy(update={"duration_s": None}) for step in record.steps]
    return record.model_copy(update={"episode_id": "any", "steps": tuple(steps)}).model_dump_json()


@pytest.mark.parametrize("tier", Tier)
def test_equal_seeds_give_equal_bytes(tier):
    def once():
        with Environment(make_backend(Settings(backend=SimulatorBackend.name))) as environment:
            return comparable(play(environment, load_policy("runbook"), tier, 200_003)[0])

    assert once() == once()


def test_the_compiler_is_imported_only_where_it_is_asked_for():
    ask = "import sys, orchestrator.backends, server.app; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", ask], check=False).returncode == 0
