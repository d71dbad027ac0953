"""How many sessions a machine carries: a rule, a kept measurement, and what overrides both."""

import json

import pytest

from orchestrator.settings import Settings
from sre_autopilot import capacity
from sre_autopilot.capacity import (
    FILE,
    REFERENCE_MESH_CORES,
    REFERENCE_WORK_MS,
    SIMULATED_SESSIONS,
    Speed,
    best_speed,
    carried,
    machine_kind,
    sessions_at_once,
)


@pytest.fixture
def cache(tmp_path):
    """The environment of a user whose cache is empty, and the file in it."""
    return {"XDG_CACHE_HOME": str(tmp_path)}, tmp_path / "sre-autopilot" / FILE


@pytest.fixture
def measurements(monkeypatch):
    """Work takes what the list says, in turn."""
    measured = [5.0, 4.0, 6.0, 7.0, 9.0, *[6.5] * 5, *[3.5] * 5]
    monkeypatch.setattr(capacity, "_work_ms", lambda: measured.pop(0))
    return measured


@pytest.mark.parametrize(
    ("cores", "mesh_cores", "meshes"),
    [(2.0, 0.3, 2), (2.0, 0.2, 4), (0.5, 0.3, 1), (16.0, 0.25, 25), (1e6, 0.1, 1024)],
)
def test_meshes_fill_a_share_of_the_cores_and_one_fits_always(cores, mesh_cores, meshes):
    assert carried(cores, mesh_cores) == meshes


def test_price_of_a_mesh_follows_the_speed_of_a_core():
    assert Speed("", REFERENCE_WORK_MS).mesh_cores == REFERENCE_MESH_CORES
    assert Speed("", 2 * REFERENCE_WORK_MS).mesh_cores == 2 * REFERENCE_MESH_CORES


def test_best_of_the_measurements_is_kept_and_read(cache, measurements):
    environ, file = cache
    assert best_speed(environ).work_ms == 4.0
    assert json.loads(file.read_text()) == {"machine": machine_kind(), "work_ms": 4.0}
    assert best_speed(environ).work_ms == 4.0, "a busy moment is forgotten"
    assert best_speed(environ).work_ms == 3.5
    assert json.loads(file.read_text())["work_ms"] == 3.5
    assert measurements == []


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", "not json", '{"machine": 1}',
        '{"machine": "another", "work_ms": 1.0}', '{"machine": "MINE", "work_ms": 0}',
        '{"machine": "MINE", "work_ms": "fast"}',
    ],
)  # fmt: skip
def test_cache_that_means_nothing_here_is_measured_anew(cache, measurements, text):
    environ, file = cache
    file.parent.mkdir()
    file.write_text(text.replace("MINE", machine_kind()))
    assert best_speed(environ).work_ms == 4.0
    assert json.loads(file.read_text())["work_ms"] == 4.0


def test_cache_that_cannot_be_written_is_no_error(measurements, tmp_path):
    (tmp_path / "file").touch()
    assert best_speed({"XDG_CACHE_HOME": str(tmp_path / "file")}).work_ms == 4.0


def test_setting_wins_and_each_backend_has_a_default(cache, monkeypatch):
    environ, _ = cache
    monkeypatch.setattr(capacity, "usable_cores", lambda: 2.0)
    monkeypatch.setattr(capacity, "_work_ms", lambda: REFERENCE_WORK_MS)
    assert sessions_at_once(Settings(max_sessions=7), environ) == 7
    assert sessions_at_once(Settings(), environ) == 8
    assert sessions_at_once(Settings(backend="simulator"), environ) == SIMULATED_SESSIONS
    assert sessions_at_once(Settings(backend="docker"), environ) == 1


def test_real_work_is_measured_in_milliseconds(cache):
    assert 0.1 < best_speed(cache[0]).work_ms < 1000
