"""Settings come from the environment they are given, and say what is wrong with it."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from orchestrator.backends import make_backend
from orchestrator.backends.process.backend import STEP_SECONDS, ProcessBackend
from orchestrator.errors import UnknownName
from orchestrator.settings import Settings


def test_defaults():
    settings = Settings.from_env({})
    assert settings == Settings()
    assert settings.backend == ProcessBackend.name


def test_variables_are_read_and_others_are_not():
    settings = Settings.from_env(
        {
            "SRE_STEP_SECONDS": "1.5",
            "SRE_RECORD_DIR": "here",
            "STEP_SECONDS": "9",
            "SRE_BACKEND": "",
        }
    )
    assert settings.step_seconds == 1.5
    assert settings.record_dir == Path("here")
    assert settings.backend == ProcessBackend.name


@pytest.mark.parametrize("value", ["0", "-1", "soon", "1000"])
def test_a_bad_value_names_its_field(value):
    with pytest.raises(ValidationError, match="step_seconds"):
        Settings.from_env({"SRE_STEP_SECONDS": value})


def test_settings_do_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        Settings().backend = "another"  # type: ignore[misc]


def test_the_backend_is_made_as_the_settings_say():
    assert make_backend(Settings())().step_seconds == STEP_SECONDS
    assert make_backend(Settings(step_seconds=1.5))().step_seconds == 1.5


def test_an_unknown_backend_lists_the_known_ones():
    with pytest.raises(UnknownName, match=ProcessBackend.name):
        make_backend(Settings(backend="moon"))
