"""The fit of lost calls recovers when the simulator counts them, and how many it loses."""

import numpy as np
import pytest

from orchestrator.environment import Environment
from sre_autopilot.policies import load_policy
from sre_autopilot.policies.play import play
from sre_autopilot.simulator import parameters
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.simulator.calibration.evidence import CALL_COUNT, Evidence
from sre_autopilot.simulator.calibration.losses import deferred, stall_lost
from sre_autopilot.simulator.calibration.recordings import Recording
from sre_autopilot.world.vocabulary import Tier

SEEDS = range(100_000, 100_050)
OTHERWISE = 0.77


@pytest.fixture(scope="module", params=["process", "docker"])
def world(request):
    """Parameters, and windows of flaps that nobody ends."""
    with Environment(lambda: SimulatorBackend(request.param)) as environment:
        records = [play(environment, load_policy("wait"), Tier.HARD, seed)[0] for seed in SEEDS]
    return parameters.load(request.param), Evidence.of(map(Recording.of, records))


def test_the_share_that_is_counted_later_is_recovered(world):
    truth, (windows, rest) = world
    calls = rest[:, :, CALL_COUNT].mean(axis=0)
    share = deferred(windows, calls, truth.early, OTHERWISE)
    assert share == pytest.approx(truth.deferred, rel=0.1)


def test_the_share_that_stalls_lose_is_recovered(world):
    truth, (windows, rest) = world
    calls = rest[:, :, CALL_COUNT].mean(axis=0)
    assert stall_lost(windows, calls) == pytest.approx(truth.stall_lost, rel=0.1)


def test_too_few_losses_say_nothing(world):
    _truth, (windows, rest) = world
    calls = np.nanmean(rest[:, :, CALL_COUNT], axis=0)
    quiet = [window for window in windows if not window.impairments][:5]
    assert deferred(quiet, calls, 0.1, OTHERWISE) == OTHERWISE
    assert stall_lost(quiet, calls) == 1.0
