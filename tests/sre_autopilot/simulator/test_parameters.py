"""The file of fitted parameters: whole, fitted_fields, read as it was written."""

import json

import numpy as np
import pytest

from sre_autopilot.errors import UnknownName
from sre_autopilot.simulator import fitted_files, parameters
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.simulator.rules.window_arrays import BINS, SERVICE_COUNT, Parameters

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
