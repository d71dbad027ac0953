"""`make_env` plays in this process, and says what is wrong with what it was asked for."""

import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator import backends
from sre_autopilot import make_env
from sre_autopilot.errors import InvalidValue, UnknownName
from sre_autopilot.grading import read_episodes
from sre_autopilot.world.vocabulary import ActionName, FaultKind, Tier
from tests.architecture.source import ROOT

WAIT = {"action": ActionName.WAIT}


def test_environment_plays_in_the_simulator_by_default() -> None:
    with make_env() as env:
        first = env.reset(seed=5, task_tier=Tier.HARD)
        second = env.step(WAIT)
    assert (first.step, second.step) == (0, 1)


def test_settings_reach_the_environment(tmp_path: Path) -> None:
    with make_env(fault=FaultKind.NONE, record_dir=tmp_path) as env:
        env.reset(seed=5)
        env.step(WAIT)
    (file,) = tmp_path.iterdir()
    (record,) = read_episodes(file.read_text().splitlines())
    assert [fault.kind for fault in record.faults] == [FaultKind.NONE]


def test_a_program_that_closes_nothing_ends() -> None:
    program = "from sre_autopilot import make_env\nenv = make_env()\nenv.reset(seed=1)\n"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_unknown_backend_lists_those_that_exist() -> None:
    with pytest.raises(UnknownName, match=r"unknown backend 'paper'.*simulator"):
        make_env("paper")


def test_unknown_setting_lists_those_that_exist() -> None:
    with pytest.raises(UnknownName, match=r"unknown setting 'tier'.*record_dir"):
        make_env(tier=Tier.HARD)


def test_setting_out_of_range_is_named() -> None:
    with pytest.raises(InvalidValue, match=r"step_seconds must be a number above 0.1 up to 60"):
        make_env(step_seconds=-1.0)


def test_setting_of_another_type_is_named() -> None:
    with pytest.raises(InvalidValue, match="fault must be such as"):
        make_env(fault=5)


def test_simulator_of_lists_the_fitted_backends() -> None:
    with pytest.raises(
        UnknownName, match=r"unknown simulator_of 'moon'; valid values: docker, pro"
    ):
        make_env(simulator_of="moon")


def test_folder_that_cannot_be_written_is_named() -> None:
    with pytest.raises(InvalidValue, match="record_dir must be a folder that can be written"):
        make_env(record_dir=Path("/proc/1/none"))


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def check_settings(settings: object) -> None:
        raise ModuleNotFoundError("No module named 'sqlalchemy'", name="sqlalchemy")

    monkeypatch.setattr("sre_autopilot.in_process.check_settings", check_settings)
    with pytest.raises(ModuleNotFoundError) as caught:
        make_env(next(iter(backends.BACKENDS)))
    assert f"pip install -e '{ROOT}[live]'" in caught.value.__notes__[0]
