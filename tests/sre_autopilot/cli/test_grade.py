"""`grade` grades records again, names broken files, and notices scores that differ."""

import json

import pytest

from sre_autopilot import grading
from sre_autopilot.world.vocabulary import ActionName, Tier
from tests.sre_autopilot.cli.terminal import invoke, is_narrow, simulated


@pytest.fixture(scope="module")
def episode():
    return simulated(ActionName.WAIT, Tier.EASY, 4)


@pytest.fixture
def file(tmp_path, episode):
    return written(tmp_path / "episode.jsonl", episode[0])


def written(path, *records):
    lines = [line for record in records for line in grading.dump_lines(record)]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    return path


def test_every_episode_has_a_row_in_80_columns(file, episode):
    result = invoke("grade", file, file)
    assert result.exit_code == 0, result.output
    assert result.stdout.count(f"{episode[1].total:.3f}") == 2
    assert is_narrow(result.stdout) and all(term in result.stdout for term in grading.WEIGHTS)


def test_a_pipe_gets_no_terminal_codes(file):
    assert "\x1b" not in invoke("grade", file).stdout


def test_explain_prints_the_summary_with_its_losses(file, episode):
    text = invoke("grade", file, "--explain").stdout
    assert "recovered  never" in text
    assert all(f"-{points:.3f}" in text for points, _reason in episode[1].reasons)


def test_json_holds_terms_and_reasons(file, episode):
    (graded,) = json.loads(invoke("grade", file, "--json").stdout)
    assert graded["score"]["total"] == episode[1].total
    assert graded["file"] == str(file) and graded["notes"] == []


def test_another_stored_score_is_noted_and_ends_with_status_1(tmp_path, episode):
    changed = episode[0].model_copy(update={"score": 0.5})
    result = invoke("grade", written(tmp_path / "changed.jsonl", changed))
    assert result.exit_code == 1
    assert "the score stored in the record is 0.5" in result.stderr


def test_an_unfinished_episode_and_another_world_are_noted(tmp_path, episode):
    changes = {"finished": False, "score": None, "world_version": "0"}
    file = written(tmp_path / "other.jsonl", episode[0].model_copy(update=changes))
    result = invoke("grade", file)
    assert result.exit_code == 0
    assert "unfinished" in result.stderr and "world version 0" in result.stderr


@pytest.mark.parametrize(
    ("content", "problem"),
    [("", "holds no episode"), ("{}\n", "line 1"), ('{"type": "step"}\n', "line 1")],
)
def test_a_broken_file_is_named(tmp_path, content, problem):
    file = tmp_path / "broken.jsonl"
    file.write_text(content)
    result = invoke("grade", file)
    assert result.exit_code == 2
    assert str(file) in result.stderr and problem in result.stderr


def test_a_missing_file_is_named(tmp_path):
    result = invoke("grade", tmp_path / "none.jsonl")
    assert result.exit_code == 2
    assert "none.jsonl: No such file" in result.stderr
