"""The file of fitted parameters: whole, fitted_fields, read as it was written."""

import json

import numpy as np
import pytest

from orchestrator.environment import Environment
from sre_autopilot.errors import UnknownName
from sre_autopilot.evaluation.sim_to_real.unfitted import SimulatorBySeed
from sre_autopilot.policies import load_policy
from sre_autopilot.policies.play import play
from sre_autopilot.simulator import fitted_files, parameters
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.simulator.rules.window_arrays import BINS, SERVICE_COUNT, Parameters
from sre_autopilot.world.vocabulary import Tier

FITTED = sorted(path.stem for path in fitted_files.FOLDER.glob("*.json"))


@pytest.fixture
def fitted_fields():
    """All that is fitted, by name."""
    fields = parameters.load("process")._asdict()
    del fields["normal"]
    return fields


def test_parameters_are_read_as_they_were_written(tmp_path, monkeypatch, fitted_fields):
    parameters.save(tmp_path / "again.json", fitted_fields, {"backend": "again"})
    monkeypatch.setattr(fitted_files, "FOLDER", tmp_path)
    again = parameters.load("again")
    for name, value in fitted_fields.items():
        np.testing.assert_array_equal(getattr(again, name), value)


def test_the_file_says_where_parameters_come_from(tmp_path, fitted_fields):
    parameters.save(tmp_path / "again.json", fitted_fields, {"backend": "again", "windows": 7})
    written = json.loads((tmp_path / "again.json").read_text(encoding="ascii"))
    assert written["provenance"] == {"backend": "again", "windows": 7}


@pytest.mark.parametrize("missing", ["latency_ms", "arrivals", "slow_checkout"])
def test_a_missing_parameter_is_refused(tmp_path, fitted_fields, missing):
    del fitted_fields[missing]
    with pytest.raises(ValueError, match=missing):
        parameters.save(tmp_path / "part.json", fitted_fields, {})
    assert not list(tmp_path.iterdir())


def test_an_unknown_parameter_is_refused(tmp_path, fitted_fields):
    with pytest.raises(ValueError, match="weather"):
        parameters.save(tmp_path / "more.json", {**fitted_fields, "weather": 1.0}, {})


@pytest.mark.parametrize("make", [parameters.load, SimulatorBackend])
def test_an_unknown_backend_lists_those_there_are(make):
    with pytest.raises(UnknownName, match="nowhere.*" + ".*".join(FITTED)):
        make("nowhere")


@pytest.mark.parametrize("backend", FITTED)
def test_shipped_parameters_have_the_shapes_that_rules_index(backend):
    fitted = parameters.load(backend)
    for name in ("latency_ms", "cpu_pct", "memory_pct"):
        table = getattr(fitted, name)
        assert table.shape == (SERVICE_COUNT, BINS)
        assert (np.diff(table) >= 0.0).all(), "quantiles climb"
    for name in ("cpu_idle_pct", "cpu_call_pct", "cpu_lost_pct"):
        assert getattr(fitted, name).shape == (SERVICE_COUNT,)
    assert fitted.arrivals.shape == (3,) and (fitted.arrivals > 0.0).all()
    assert fitted.slow_checkout.shape == (BINS,)
    for name in ("deferred", "died_early"):
        assert 0.0 <= getattr(fitted, name) <= 1.0
    assert all(np.isfinite(value).all() for value in fitted)
    assert set(fitted._asdict()) == set(Parameters._fields)


def test_quantiles_are_at_the_middle_of_their_shares():
    quantiles = parameters.middle_quantiles(np.arange(BINS * 100 + 1) / 100)
    np.testing.assert_allclose(quantiles, np.arange(BINS) + 0.5)


def test_the_normal_is_symmetric_and_of_unit_spread():
    (table,) = parameters.normal_table()
    np.testing.assert_array_equal(table, -table[::-1])
    assert table.std() == pytest.approx(1.0, abs=0.02)


def true_windows(world):
    """Of an episode of waiting in a simulator with these parameters."""
    with Environment(lambda: SimulatorBySeed(lambda _seed: world)) as environment:
        record, _ = play(environment, load_policy("wait"), Tier.HARD, 4)
    return [window for step in record.steps for window in step.true.values()]


def test_on_a_slower_host_the_same_work_takes_more_cpu_and_all_else_stays():
    fitted = parameters.load("process")
    here, there = true_windows(fitted), true_windows(parameters.on_host(fitted, 1.5))
    for one, other in zip(here, there, strict=True):
        assert other.cpu_pct == pytest.approx(1.5 * one.cpu_pct, rel=1e-3)
        assert other.model_copy(update={"cpu_pct": one.cpu_pct}) == one
