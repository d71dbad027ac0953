"""`compare` finds out what its two sides are, and compares what can be compared."""

import csv
import json

import numpy as np
import pytest

from sre_autopilot import grading
from sre_autopilot.evaluation.many_seeds import VectorEvaluator
from sre_autopilot.evaluation.results import Result
from sre_autopilot.policies.scripts import WaitOnly
from sre_autopilot.world.vocabulary import ActionName, Tier
from tests.sre_autopilot.cli.terminal import invoke, is_narrow, simulated


class ReadsTraces(WaitOnly):
    """Reads traces, which it should announce."""

    def act(self, observation):
        assert observation.trace_edges is not None
        return super().act(observation)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Records and results of two policies on one seed, by name."""
    folder = tmp_path_factory.mktemp("compare")
    for policy in ("oracle", ActionName.WAIT):
        record, _score = simulated(policy, Tier.EASY, 4)
        (folder / f"{policy}.jsonl").write_text("\n".join(grading.dump_lines(record)) + "\n")
        result = Result.of(record, policy).model_dump_json()
        (folder / f"{policy}-results.jsonl").write_text(result + "\n")
    return {file.stem: file for file in folder.iterdir()}


def test_records_are_compared_step_by_step(files):
    result = invoke("compare", files[ActionName.WAIT], files["oracle"])
    assert result.exit_code == 0, result.output
    assert "step by step" in result.stdout and "other actions from step" in result.stdout
    assert is_narrow(result.stdout)


def test_records_as_json(files):
    printed = json.loads(invoke("compare", *[files["oracle"]] * 2, "--json").stdout)
    assert printed["first_action_difference"] is None
    assert printed["seed"] == 4


def test_results_are_paired_by_seed(files):
    names = (f"{ActionName.WAIT}-results", "oracle-results")
    result = invoke("compare", *(files[name] for name in names))
    assert result.exit_code == 0, result.output
    assert "paired by tier and seed" in result.stdout
    assert is_narrow(result.stdout)


def test_policies_play_the_same_seeds(tmp_path):
    words = ("--tiers", Tier.EASY, "--seeds", 3, "--json")
    result = invoke("compare", ActionName.WAIT, "oracle", *words)
    (cell,) = json.loads(result.stdout)["cells"]
    assert cell["pairs"] == 3 and cell["mean_b"] > cell["mean_a"]


def test_scores_of_all_seeds_at_once_are_those_of_one_episode_after_the_other(
    tmp_path, monkeypatch
):
    """The vector simulator keeps no records, so SRE_RECORD_DIR has episodes played one by one."""
    words = ("compare", "runbook", "belief", "--tiers", "hard,expert", "--seeds", 2, "--json")
    at_once = json.loads(invoke(*words).stdout)
    monkeypatch.setenv("SRE_RECORD_DIR", str(tmp_path))
    assert json.loads(invoke(*words).stdout) == at_once
    assert len(list(tmp_path.iterdir())) == 8


def test_seeds_are_played_at_once_in_the_simulator_alone(monkeypatch):
    monkeypatch.setattr(VectorEvaluator, "episodes", lambda *_: pytest.fail("played at once"))
    words = ("compare", "wait", "oracle", "--tiers", Tier.EASY, "--seeds", 1)
    assert invoke(*words, "--meshes", 2).exit_code == 0
    with pytest.raises(pytest.fail.Exception, match="played at once"):
        invoke(*words)


def test_a_policy_that_reads_traces_and_does_not_say_so_is_refused_without_a_traceback():
    words = ("compare", "wait", f"{__name__}:ReadsTraces", "--tiers", Tier.EASY, "--seeds", 1)
    result = invoke(*words)
    assert result.exit_code == 2
    assert "needs_traces = True" in result.stderr and "Traceback" not in result.stderr
    assert invoke(*words, "--meshes", 2).exit_code == 0


def test_a_policy_against_itself_is_played_once(monkeypatch):
    played: list[str] = []

    def scores(self, policy, tier, advance):
        played.append(policy)
        return np.full(self.episode_count, 0.5)

    monkeypatch.setattr(VectorEvaluator, "scores", scores)
    result = invoke("compare", "oracle", "oracle", "--tiers", Tier.EASY, "--seeds", 2, "--json")
    (cell,) = json.loads(result.stdout)["cells"]
    assert played == ["oracle"] and cell["difference"]["mean"] == 0.0


@pytest.mark.parametrize(
    ("sides", "problem"),
    [
        (("oracle", "oracle-results"), "both must be the same kind"),
        (("no-such.jsonl", "no-such.jsonl"), "no such file"),
        (("genius", "genius"), "runbook"),
    ],
)
def test_sides_that_cannot_be_compared_are_named(files, sides, problem):
    result = invoke("compare", *(files.get(side, side) for side in sides))
    assert result.exit_code == 2
    assert problem in result.stderr and result.stdout == ""


def test_records_of_different_seeds_are_not_lined_up(files, tmp_path):
    record, _score = simulated("oracle", Tier.EASY, 5)
    other = tmp_path / "other.jsonl"
    other.write_text("\n".join(grading.dump_lines(record)) + "\n")
    result = invoke("compare", files["oracle"], other)
    assert result.exit_code == 2
    assert "seed differ" in result.stderr


@pytest.mark.parametrize("content", ['{"a": 1}\n', "no JSON\n", ""])
def test_a_file_of_something_else_is_named(tmp_path, content):
    file = tmp_path / "other.jsonl"
    file.write_text(content)
    result = invoke("compare", file, file)
    assert result.exit_code == 2
    assert "neither records of episodes nor results" in result.stderr


def test_two_records_are_exported_as_markdown_and_csv(files):
    sides = (files[ActionName.WAIT], files["oracle"])
    written = invoke("compare", *sides, "--csv").stdout
    head, *rows = csv.reader(written.splitlines())
    assert head == ["score", f"A: {ActionName.WAIT}", "B: oracle", "B - A"]
    assert {"total", "detected at step", "recovered at step"} < {row[0] for row in rows}
    in_markdown = invoke("compare", *sides, "--markdown").stdout.splitlines()
    assert [line.strip("| ").split(" | ") for line in in_markdown[2:]] == [
        [cell for cell in row if cell] for row in rows
    ]


def test_results_and_policies_have_no_such_export(files):
    names = (f"{ActionName.WAIT}-results", "oracle-results")
    result = invoke("compare", *(files[name] for name in names), "--csv")
    assert result.exit_code == 2 and "--csv: for two records" in result.stderr
    both = invoke("compare", *[files["oracle"]] * 2, "--csv", "--json")
    assert both.exit_code == 2 and "one of them" in both.stderr


def test_a_record_that_was_cut_is_called_so(files, tmp_path):
    cut = tmp_path / "cut.jsonl"
    cut.write_text("\n".join(files[ActionName.WAIT].read_text().splitlines()[:9]) + '\n{"ty')
    result = invoke("compare", cut, files["oracle"])
    assert result.exit_code == 0, result.output
    assert "aborted: the file ends after step 7" in result.stderr


def test_a_folder_is_no_policy(files, tmp_path):
    result = invoke("compare", files["oracle"], tmp_path)
    assert result.exit_code == 2 and "a folder" in result.stderr
