"""`submission` collects records, and `grade --submission` checks and places them."""

import json
from unittest.mock import Mock

import pytest

from sre_autopilot.evaluation.submission import check
from sre_autopilot.evaluation.submission.document import SUBMISSION
from sre_autopilot.world.vocabulary import SEED_SPLITS, Tier
from tests.sre_autopilot.cli.terminal import invoke, is_narrow, simulated

FIRST = SEED_SPLITS["test"].start
NAMES = ("--policy", "oracle", "--policy-version", "7")


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    for seed in (FIRST, FIRST + 1):
        simulated("oracle", Tier.EASY, seed, record_dir=folder)
    return folder


@pytest.fixture
def submission(records, tmp_path):
    folder = tmp_path / "mine"
    made = invoke("submission", folder, "--records", records, *NAMES, "--tokens", 5000)
    assert made.exit_code == 0, made.output
    assert "2 episodes" in made.stdout
    return folder


def test_a_submission_is_graded_and_placed(submission):
    result = invoke("grade", "--submission", submission)
    assert result.exit_code == 0, result.output
    assert "oracle 7 on simulator" in result.stdout
    assert "2,500 tokens an episode" in result.stdout
    assert is_narrow(result.stdout)
    (tier,) = json.loads(invoke("grade", "--submission", submission, "--json").stdout)["tiers"]
    assert tier["tier"] == Tier.EASY and tier["episodes"] == 2
    assert tier["first_at_cause"] == 1.0


def test_a_tampered_submission_ends_with_status_2_and_the_field(submission):
    file = submission / SUBMISSION
    content = json.loads(file.read_text())
    content["scores"][Tier.EASY] = 0.99
    file.write_text(json.dumps(content))
    result = invoke("grade", "--submission", submission)
    assert result.exit_code == 2
    assert "scores.easy must be" in result.stderr


def test_seeds_with_a_gap_make_no_submission_and_leave_no_folder(records, tmp_path):
    simulated("oracle", Tier.EASY, FIRST + 3, record_dir=tmp_path / "more")
    sources = ("--records", records, "--records", tmp_path / "more")
    result = invoke("submission", tmp_path / "mine", *sources, *NAMES)
    assert result.exit_code == 2
    assert f"episodes must be complete: easy {FIRST + 2}" in result.stderr
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("grade",), "--submission"),
        (("grade", "--submission", "none"), "none"),
        (("grade", "docs/examples/episode.jsonl", "--submission", "x"), "no other records"),
        (("submission", ".", "--records", "x", *NAMES), "exists already"),
        (("submission", "runs/none", "--records", "none.jsonl", *NAMES), "none.jsonl"),
    ],
)
def test_bad_input_is_named(arguments, word):
    result = invoke(*arguments)
    assert result.exit_code == 2, result.output
    assert word in result.stderr


@pytest.mark.parametrize("error", [OSError("No space left on device"), KeyboardInterrupt()])
def test_half_a_submission_is_not_left_behind(records, tmp_path, monkeypatch, error):
    monkeypatch.setattr(check, "checked", Mock(side_effect=error))
    result = invoke("submission", tmp_path / "mine", "--records", records, *NAMES)
    assert result.exit_code != 0
    assert not (tmp_path / "mine").exists()
