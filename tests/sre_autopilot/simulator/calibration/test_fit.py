"""The fit, on windows that are known because the simulator itself made them."""

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from orchestrator.environment import Environment
from sre_autopilot.policies import load_policy
from sre_autopilot.policies.play import play
from sre_autopilot.simulator import parameters
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.simulator.calibration import fit as calibrate
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
    return calibrate.fit(calibrate.Evidence.by(recordings))


def test_traffic_is_found_again(fitted):
    np.testing.assert_allclose(fitted["arrivals"], TRUTH.arrivals, rtol=0.1)
    assert fitted["deferred"] == pytest.approx(TRUTH.deferred, rel=0.1)


def test_the_line_of_cpu_is_found_again(fitted):
    np.testing.assert_allclose(fitted["cpu_call_pct"], TRUTH.cpu_call_pct, rtol=0.3)
    np.testing.assert_allclose(fitted["cpu_idle_pct"], TRUTH.cpu_idle_pct, rtol=0.3)


def test_latency_at_rest_is_found_again(fitted):
    median = BINS // 2
    found = np.array(fitted["latency_ms"])[:, median]
    np.testing.assert_allclose(found, TRUTH.latency_ms[:, median], rtol=0.35)


def test_what_a_held_connection_adds_is_found_again(fitted):
    assert fitted["contention_ms"] == pytest.approx(TRUTH.contention_ms, rel=0.5)
    assert 0.0 <= fitted["died_early"] <= 1.0


def test_what_the_fit_leaves_unsaid_is_told(recordings, fitted):
    left = calibrate.residuals(calibrate.Evidence.by(recordings), fitted)
    spread = np.std(TRUTH.cpu_pct, axis=1)
    np.testing.assert_allclose(left["cpu_pct"], spread, rtol=0.3)
    assert 0.0 < left["held_connections_ms"] < 30.0
    assert 0.0 < left["slow_checkout"] < 0.5


def test_too_little_is_said_to_be_so(recordings):
    with pytest.raises(ValueError, match="record more episodes"):
        calibrate.fit(calibrate.Evidence.by(recordings[:1]))


def test_a_backend_without_recordings_is_explained(tmp_path):
    app = typer.Typer()
    app.command()(calibrate.main)
    ran = CliRunner().invoke(app, ["process", "--data", str(tmp_path)])
    assert ran.exit_code == 2
