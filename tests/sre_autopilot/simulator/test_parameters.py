"""The file of fitted parameters: whole, known, read as it was written."""

import json

import numpy as np
import pytest

from sre_autopilot.errors import UnknownName
from sre_autopilot.simulator import parameters
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.simulator.rules.window_arrays import BINS, SERVICE_COUNT, Parameters

FITTED = sorted(path.stem for path in parameters.FOLDER.glob("*.json"))


@pytest.fixture
def known():
    """All that is fitted, by name."""
    fields = parameters.load("process")._asdict()
    del fields["normal"]
    return fields


def test_they_are_read_as_they_were_written(tmp_path, monkeypatch, known):
    parameters.save(tmp_path / "again.json", known, {"backend": "again"})
    monkeypatch.setattr(parameters, "FOLDER", tmp_path)
    again = parameters.load("again")
    for name, value in known.items():
        np.testing.assert_array_equal(getattr(again, name), value)


def test_the_file_says_where_they_come_from(tmp_path, known):
    parameters.save(tmp_path / "again.json", known, {"backend": "again", "windows": 7})
    told = json.loads((tmp_path / "again.json").read_text(encoding="ascii"))
    assert told["provenance"] == {"backend": "again", "windows": 7}


@pytest.mark.parametrize("missing", ["latency_ms", "arrivals", "slow_checkout"])
def test_they_must_be_whole(tmp_path, known, missing):
    del known[missing]
    with pytest.raises(ValueError, match=missing):
        parameters.save(tmp_path / "part.json", known, {})
    assert not list(tmp_path.iterdir())


def test_no_others_are_taken(tmp_path, known):
    with pytest.raises(ValueError, match="weather"):
        parameters.save(tmp_path / "more.json", {**known, "weather": 1.0}, {})


@pytest.mark.parametrize("make", [parameters.load, SimulatorBackend])
def test_an_unknown_backend_lists_those_there_are(make):
    with pytest.raises(UnknownName, match="nowhere.*" + ".*".join(FITTED)):
        make("nowhere")


@pytest.mark.parametrize("backend", FITTED)
def test_what_is_shipped_has_the_shapes_that_laws_index(backend):
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
    found = parameters.middle_quantiles(np.arange(BINS * 100 + 1) / 100)
    np.testing.assert_allclose(found, np.arange(BINS) + 0.5)


def test_the_normal_is_symmetric_and_of_unit_spread():
    (table,) = parameters.normal_table()
    np.testing.assert_array_equal(table, -table[::-1])
    assert table.std() == pytest.approx(1.0, abs=0.02)
