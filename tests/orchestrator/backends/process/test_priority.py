"""A mesh is weighed above other programs where its user may, and runs all the same elsewhere."""

import os
from pathlib import Path

import pytest

from orchestrator.backends.process.priority import NICE, raise_priority


@pytest.fixture
def ordered(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int]]:
    """What the kernel was asked for."""
    asked: list[tuple[int, int, int]] = []
    monkeypatch.setattr("os.setpriority", lambda *order: asked.append(order))
    return asked


def test_process_and_its_session_are_raised(
    tmp_path: Path, ordered: list[tuple[int, int, int]]
) -> None:
    (tmp_path / "self").mkdir()
    assert raise_priority(tmp_path)
    assert ordered == [(os.PRIO_PROCESS, 0, NICE)]
    assert (tmp_path / "self/autogroup").read_text() == f"{NICE}\n"


def test_kernel_without_groups_of_sessions_is_no_error(
    tmp_path: Path, ordered: list[tuple[int, int, int]]
) -> None:
    assert raise_priority(tmp_path)
    assert ordered


def test_user_who_may_not_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_order: int) -> None:
        raise PermissionError

    monkeypatch.setattr("os.setpriority", refuse)
    assert not raise_priority(tmp_path)
