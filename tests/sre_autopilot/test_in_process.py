"""`make_env` plays in this process, and says what is wrong with what it was asked for."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from orchestrator import backends
from sre_autopilot import make_env
from sre_autopilot.errors import UnknownName
from sre_autopilot.grading import read_episodes
from sre_autopilot.world.vocabulary import ActionName, FaultKind, Tier

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


def test_unknown_backend_lists_those_that_exist() -> None:
    with pytest.raises(UnknownName, match=r"unknown backend 'paper'.*simulator"):
        make_env("paper")


def test_unknown_setting_lists_those_that_exist() -> None:
    with pytest.raises(UnknownName, match=r"unknown setting 'tier'.*record_dir"):
        make_env(tier=Tier.HARD)


def test_setting_out_of_range_is_named() -> None:
    with pytest.raises(ValidationError, match="step_seconds"):
        make_env(step_seconds=-1.0)


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def make_backend(settings: object) -> None:
        raise ModuleNotFoundError("No module named 'aiohttp'", name="aiohttp")

    monkeypatch.setattr("sre_autopilot.in_process.make_backend", make_backend)
    with pytest.raises(ModuleNotFoundError) as caught:
        make_env(next(iter(backends.BACKENDS)))
    assert "pip install 'openenv-sre-autopilot[live]'" in caught.value.__notes__[0]
