"""Settings that name what does not exist are refused before anything starts."""

import re
from pathlib import Path

import pytest

from orchestrator.settings import Settings
from sre_autopilot.checked_settings import (
    OTHER_VARIABLES,
    check_settings,
    settings_from_env,
    unknown_variables,
)
from sre_autopilot.cli.doctor import settings_check
from sre_autopilot.cli.options import read_settings
from sre_autopilot.errors import InvalidSettings, InvalidValue, UnknownName
from sre_autopilot.simulator.fitted_files import FOLDER, fitted_file
from tests.architecture.source import ROOT, committed_files
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


def test_variable_that_nothing_reads_is_named_with_the_one_that_may_be_meant() -> None:
    lines = unknown_variables({"SRE_MAX_SESSION": "3", "SRE_PORT": "1", "SRE_Q": "", "PATH": "/"})
    assert lines == [
        "SRE_MAX_SESSION is no setting and changes nothing; did you mean SRE_MAX_SESSIONS?",
        "SRE_Q is no setting and changes nothing; docs/settings.md lists the variables",
    ]


def test_commands_and_the_server_warn_of_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings_from_env({"SRE_BACKENDS": "simulator"})
    assert "did you mean SRE_BACKEND?" in caplog.text
    caplog.clear()
    monkeypatch.setenv("SRE_BACKENDS", "simulator")
    read_settings()
    assert "did you mean SRE_BACKEND?" in caplog.text
    assert settings_check().fact.startswith("SRE_BACKENDS is no setting")


def test_every_variable_in_the_tree_is_a_setting_or_one_of_the_others() -> None:
    named = {
        name
        for path in committed_files()
        if path.suffix in {".py", ".sh", ".yml", ""} and "tests" not in path.relative_to(ROOT).parts
        for name in re.findall(r"\bSRE_[A-Z_]+[A-Z]\b", path.read_text(encoding="utf-8"))
    }
    assert named >= OTHER_VARIABLES
    assert unknown_variables(dict.fromkeys(named, "")) == []
