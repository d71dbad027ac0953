"""Whether a score can be trusted is said wherever a score is: busy machines, broken worlds."""

import json

import pytest

from orchestrator.environment import Environment
from sre_autopilot import grading
from sre_autopilot.cli.screen import episode_summary
from sre_autopilot.evaluation.results import Result, read_results
from sre_autopilot.policies.play import play
from sre_autopilot.policies.scripts import WaitOnly
from sre_autopilot.world.vocabulary import ActionName, Tier
from tests.busy_simulator import BusySimulator, LapsingSimulator
from tests.sre_autopilot.cli.terminal import invoke, is_narrow, simulated, text_of

BUSY = BusySimulator.name
UNTRUSTED = "the machine was too busy in 31 of 31 windows; do not trust the score"


def played_on(backend):
    with Environment(backend) as environment:
        return play(environment, WaitOnly(), Tier.CONTROL, 1)


@pytest.fixture(scope="module")
def contended():
    return played_on(BusySimulator)


@pytest.fixture(scope="module")
def file(tmp_path_factory, contended):
    """A valid episode, a contended, a broken one and one of which nothing is known."""
    valid, _ = simulated(ActionName.WAIT, Tier.CONTROL, 1)
    broken, _ = played_on(LapsingSimulator)
    steps = [step.model_copy(update={"host": None, "contended": None}) for step in valid.steps]
    unknown = valid.model_copy(update={"steps": tuple(steps), "validity": None})
    path = tmp_path_factory.mktemp("validity") / "episodes.jsonl"
    with path.open("w") as lines:
        for record in (valid, contended[0], broken, unknown):
            lines.writelines(f"{line}\n" for line in grading.dump_lines(record))
    return path


def test_grade_marks_scores_that_cannot_be_trusted(file):
    result = invoke("grade", file)
    assert result.exit_code == 0, result.output
    assert result.stdout.count("*") == 2 and is_narrow(result.stdout)
    assert f"contended: {UNTRUSTED}" in result.stderr
    assert "broken: the world was not as it should have been" in result.stderr


def test_grade_as_json_has_the_verdict_with_its_reasons(file):
    printed = json.loads(invoke("grade", file, "--json").stdout)
    verdicts = [episode["validity"]["verdict"] for episode in printed]
    assert verdicts == ["valid", "contended", "broken", "unknown"]
    assert printed[2]["validity"]["reasons"] == ["step 1: users was not impaired as ordered"]


def test_the_graders_own_command_says_it_too(file, capsys):
    assert grading.main([str(file), "--explain"]) == 0
    printed = capsys.readouterr().out
    for verdict in grading.Verdict:
        assert f"validity={verdict}" in printed
    assert UNTRUSTED in printed
    assert "validity: step 0: users waited 499 ms for a CPU" in printed


@pytest.mark.parametrize("explain", [False, True])
def test_the_summary_of_an_episode_says_whether_it_is_valid(contended, explain):
    text = " ".join(text_of(episode_summary(*contended, explain=explain)).split())
    assert f"validity contended: {UNTRUSTED}" in text
    assert ("users waited 499 ms" in text) is explain


def test_the_summary_of_a_valid_episode_says_so():
    text = text_of(episode_summary(*simulated("oracle", Tier.EASY, 4)))
    assert "validity   valid: the machine was too busy in 0 of" in text


def test_run_leaves_contended_episodes_out_of_its_mean(tmp_path):
    words = ("--tier", Tier.CONTROL, "--seed", 1, "--backend", BUSY, "--record-dir", tmp_path)
    result = invoke("run", ActionName.WAIT, *words)
    assert result.exit_code == 0, result.output
    assert "without the 1 whose scores cannot be trusted" in result.stdout
    assert "mean score" not in result.stdout
    printed = json.loads(invoke("run", ActionName.WAIT, *words, "--json").stdout)
    assert (printed["mean"], printed["left_out"]) == (None, 1)
    assert printed["episodes"][0]["validity"]["verdict"] == "contended"


def test_evaluate_plays_contended_episodes_again_and_shows_what_it_leaves_out(tmp_path):
    out = tmp_path / "results.jsonl"
    words = ("--policies", ActionName.WAIT, "--tiers", Tier.CONTROL, "--seeds", 1, "--out", out)
    result = invoke("evaluate", *words, "--backend", BUSY)
    assert result.exit_code == 0, result.output
    assert "left out" in result.stdout and is_narrow(result.stdout)
    assert "1 of 1 episodes were played again" in result.stderr
    assert "1 are left out of the means" in result.stderr
    (kept,) = read_results(out)
    assert (kept.validity, kept.plays) == (grading.Verdict.CONTENDED, 3)
    printed = json.loads(invoke("evaluate", *words, "--backend", BUSY, "--json").stdout)
    (cell,) = printed["cells"]
    assert (cell["episodes"], cell["left_out"], cell["played_again"]) == (0, 1, 2)
    assert [left["seed"] for left in printed["left_out"]] == [kept.seed]


def test_compare_leaves_untrusted_results_out_and_says_so(tmp_path, contended):
    valid, _ = simulated(ActionName.WAIT, Tier.CONTROL, 1)
    lines = [
        Result.of(record, ActionName.WAIT).model_dump_json()
        for record in (valid, contended[0].model_copy(update={"seed": 2}))
    ]
    side = tmp_path / "results.jsonl"
    side.write_text("\n".join(lines) + "\n")
    result = invoke("compare", side, side)
    assert result.exit_code == 0, result.output
    assert "1 of 2 results cannot be trusted and are left out" in result.stderr


def test_compare_plays_policies_and_leaves_untrusted_scores_out():
    words = ("--tiers", Tier.CONTROL, "--seeds", 1, "--backend", BUSY)
    result = invoke("compare", ActionName.WAIT, "runbook", *words)
    assert result.exit_code == 2
    assert f"{ActionName.WAIT}: 1 of 1 results cannot be trusted" in result.stderr
    assert "nothing can be paired" in result.stderr
