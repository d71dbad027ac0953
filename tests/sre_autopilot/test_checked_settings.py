"""Settings that name what does not exist are refused before anything starts."""

from pathlib import Path

import pytest

from orchestrator.settings import Settings
from sre_autopilot.checked_settings import check_settings, settings_from_env
from sre_autopilot.errors import InvalidSettings, InvalidValue, UnknownName
from sre_autopilot.simulator.fitted_files import FOLDER, fitted_file
from tests.sre_autopilot.cli.terminal import invoke

FITTED = [path.stem for path in sorted(FOLDER.glob("*.json"))]
WRONG = {
    "SRE_BACKEND": ("moon", "unknown backend 'moon'"),
    "SRE_FAULT": ("gremlins", "unknown fault 'gremlins'"),
    "SRE_SIMULATOR_OF": ("moon", f"valid values: {', '.join(FITTED)}"),
    "SRE_RECORD_DIR": ("/proc/1/none", "a folder that can be written, not '/proc/1/none'"),
    "SRE_MAX_SESSIONS": ("many", "valid: a whole number from 1 up to 1024"),
}


@pytest.mark.parametrize("variable", WRONG)
def test_wrong_variable_is_named_in_one_line(variable: str) -> None:
    value, reason = WRONG[variable]
    with pytest.raises(InvalidSettings) as caught:
        settings_from_env({variable: value})
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{variable}: ") and reason in line


@pytest.mark.parametrize("variable", WRONG)
@pytest.mark.parametrize("command", [("run", "runbook"), ("evaluate",), ("play",), ("bench",)])
def test_commands_name_the_wrong_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: tuple[str, ...], variable: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke(*command, **{variable: WRONG[variable][0]})
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {variable}: ")
    assert len(result.stderr.splitlines()) == 1


def test_option_in_place_of_a_wrong_variable_is_taken() -> None:
    result = invoke("run", "runbook", "--backend", "sun", SRE_BACKEND="moon")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: unknown backend 'sun'; valid values: ")


def test_settings_that_can_be_are_returned(tmp_path: Path) -> None:
    settings = settings_from_env({"SRE_RECORD_DIR": str(tmp_path / "a" / "b")})
    assert settings.record_dir == tmp_path / "a" / "b"
    assert list(tmp_path.iterdir()) == []


def test_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidValue, match="record_dir"):
        check_settings(Settings(record_dir=tmp_path / "file"))


def test_fitted_file_is_that_of_its_backend() -> None:
    assert [fitted_file(name).stem for name in FITTED] == FITTED
    with pytest.raises(UnknownName, match="simulator_of"):
        fitted_file("../fitted/process")
