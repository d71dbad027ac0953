"""The fit recovers the parameters of a simulator from its own windows."""

import numpy as np
import pytest

from orchestrator.environment import Environment
from sre_autopilot.cli.dev.calibrate import command
from sre_autopilot.cli.errors import BadInput
from sre_autopilot.policies import load_policy
from sre_autopilot.policies.play import play
from sre_autopilot.simulator import parameters
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.simulator.calibration.evidence import CALL_COUNT, Evidence
from sre_autopilot.simulator.calibration.fit import fit, residuals
from sre_autopilot.simulator.calibration.losses import deferred, stall_lost
from sre_autopilot.simulator.calibration.recordings import Recording
from sre_autopilot.simulator.rules.window_arrays import BINS
from sre_autopilot.world.vocabulary import Tier

SEEDS = range(100_000, 100_006)
TRUTH = parameters.load("process")


@pytest.fixture(scope="module")
def recordings():
    played = []
    with Environment(SimulatorBackend) as environment:
        for tier in (Tier.EASY, Tier.MEDIUM, Tier.HARD, Tier.CONTROL):
            for seed in SEEDS:
                for name in ("random", "wait"):
                    record, _ = play(environment, load_policy(name), tier, seed)
                    played.append(Recording.of(record))
    return played


@pytest.fixture(scope="module")
def fitted(recordings):
    return fit(Evidence.of(recordings))


def test_fit_recovers_traffic(fitted):
    np.testing.assert_allclose(fitted["arrivals"], TRUTH.arrivals, rtol=0.1)


def test_fit_takes_losses_from_the_same_windows(recordings, fitted):
    windows, rest = Evidence.of(recordings)
    calls = rest[:, :, CALL_COUNT].mean(axis=0)
    assert fitted["deferred"] == deferred(windows, calls, fitted["early"], 0.0)
    assert fitted["stall_lost"] == stall_lost(windows, calls)
    assert 0.0 < fitted["deferred"] < 1.0 and fitted["stall_lost"] > 0.0


def test_fit_recovers_the_line_of_cpu(fitted):
    np.testing.assert_allclose(fitted["cpu_call_pct"], TRUTH.cpu_call_pct, rtol=0.3)
    np.testing.assert_allclose(fitted["cpu_idle_pct"], TRUTH.cpu_idle_pct, rtol=0.3)


def test_fit_recovers_latency_at_rest(fitted):
    median = BINS // 2
    medians_ms = np.array(fitted["latency_ms"])[:, median]
    np.testing.assert_allclose(medians_ms, TRUTH.latency_ms[:, median], rtol=0.35)


def test_fit_recovers_what_a_leaked_connection_adds(fitted):
    assert fitted["contention_ms"] == pytest.approx(TRUTH.contention_ms, rel=0.5)
    assert 0.0 <= fitted["died_early"] <= 1.0


def test_residuals_are_those_of_the_simulator(recordings, fitted):
    unexplained = residuals(Evidence.of(recordings), fitted)
    spread = np.std(TRUTH.cpu_pct, axis=1)
    # The outermost bin of a service may be far out, and is drawn once in 64 windows.
    np.testing.assert_allclose(unexplained["cpu_pct"], spread, rtol=0.35)
    assert 0.0 < unexplained["held_connections_ms"] < 30.0
    assert 0.0 < unexplained["slow_checkout"] < 0.5


def test_too_few_windows_are_an_error(recordings):
    with pytest.raises(ValueError, match="record more episodes"):
        fit(Evidence.of(recordings[:1]))


def test_backend_without_recordings_is_an_error(tmp_path):
    with pytest.raises(BadInput, match=r"process-fit\.npz does not exist"):
        command("process", tmp_path)
