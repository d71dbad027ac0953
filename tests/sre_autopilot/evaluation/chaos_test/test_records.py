"""Whatever a kill leaves of a record has a state, or a problem that is named."""

from pathlib import Path

import pytest

from orchestrator.backends import make_backend
from orchestrator.environment import Environment
from orchestrator.settings import Settings
from sre_autopilot.evaluation.chaos_test.records import (
    ABORTED,
    FINISHED,
    NONE,
    UNFINISHED,
    graded,
)
from sre_autopilot.world.vocabulary import MAX_STEPS, ActionName, Tier

STEPS = 3


def played(folder: Path, steps: int) -> Path:
    """The record of an episode that was closed after so many steps."""
    backend = make_backend(Settings(backend="simulator"))
    with Environment(backend, record_dir=folder) as environment:
        environment.reset(seed=1, task_tier=Tier.CONTROL, episode_id="one")
        for _ in range(steps):
            environment.step({"action": ActionName.WAIT})
    return folder / "one.jsonl"


@pytest.fixture
def lines(tmp_path: Path) -> list[str]:
    return played(tmp_path, STEPS).read_text().splitlines(keepends=True)


@pytest.mark.parametrize(("steps", "state"), [(STEPS, UNFINISHED), (MAX_STEPS, FINISHED)])
def test_an_end_says_how_it_ended(tmp_path: Path, steps: int, state: str) -> None:
    assert graded(played(tmp_path, steps)) == (state, None)


@pytest.mark.parametrize("kept", [2, STEPS, STEPS + 2])
def test_a_record_without_an_end_is_aborted(tmp_path: Path, lines: list[str], kept: int) -> None:
    file = tmp_path / "killed.jsonl"
    file.write_text("".join(lines[:kept]))
    assert graded(file) == (ABORTED, None)


def test_half_a_line_costs_that_line_alone(tmp_path: Path, lines: list[str]) -> None:
    file = tmp_path / "killed.jsonl"
    file.write_text("".join(lines[:3]) + lines[3][:40])
    assert graded(file) == (ABORTED, None)


@pytest.mark.parametrize("kept", [0, 1])
def test_a_record_without_a_window_is_none(tmp_path: Path, lines: list[str], kept: int) -> None:
    file = tmp_path / "killed.jsonl"
    file.write_text("".join(lines[:kept]))
    assert graded(file) == (NONE, None)
    assert graded(tmp_path / "no-such-file.jsonl") == (NONE, None)


def test_a_record_that_cannot_be_read_is_a_problem(tmp_path: Path, lines: list[str]) -> None:
    file = tmp_path / "killed.jsonl"
    file.write_text(lines[1])
    state, problem = graded(file)
    assert state == NONE
    assert problem is not None
    assert "line 1" in problem
