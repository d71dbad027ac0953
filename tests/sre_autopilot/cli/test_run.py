"""`run` plays one policy on consecutive seeds, keeps the records and says what came out."""

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from sre_autopilot import grading
from sre_autopilot.cli import run
from sre_autopilot.world.vocabulary import ActionName, Tier
from tests.sre_autopilot.cli.terminal import invoke, is_narrow, simulated


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    words = ("--tier", Tier.EASY, "--seed", 4, "--episodes", 2, "--record-dir", folder)
    return folder, invoke("run", "oracle", *words)


def test_every_episode_has_its_summary_and_one_ends_the_run(played):
    folder, result = played
    assert result.exit_code == 0, result.output
    assert f"{Tier.EASY}, seed 4" in result.stdout and f"{Tier.EASY}, seed 5" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("2 episodes, mean score 0.")
    assert str(folder) in result.stdout.splitlines()[-1]


def test_output_fits_in_80_columns_but_for_the_path(played):
    _folder, result = played
    assert is_narrow("\n".join(result.stdout.splitlines()[:-1]))


def test_sentences_fit_in_80_columns_on_a_pipe_too(tmp_path):
    words = ("--tier", Tier.HARD, "--seed", 1, "--explain", "--record-dir", tmp_path)
    lines = invoke("run", "runbook", *words, COLUMNS=None).stdout.splitlines()
    assert is_narrow("\n".join(lines[:-1])) and any(len(line) > 60 for line in lines)


def test_progress_is_on_standard_error(played):
    _folder, result = played
    assert "episode 2 of 2" in result.stderr and "episode 2 of 2" not in result.stdout


def test_records_are_kept(played):
    folder, _result = played
    assert len(list(folder.glob("*.jsonl"))) == 2


def test_json_names_scores_faults_and_records(tmp_path):
    words = ("--tier", Tier.MEDIUM, "--seed", 1, "--json", "--record-dir", tmp_path)
    printed = json.loads(invoke("run", ActionName.WAIT, *words).stdout)
    (episode,) = printed["episodes"]
    record, score = simulated(ActionName.WAIT, Tier.MEDIUM, 1)
    assert printed["mean"] == episode["score"]["total"] == score.total
    assert episode["faults"][0]["kind"] == record.faults[0].kind
    (kept,) = grading.read_episodes(Path(episode["record"]).read_text().splitlines())
    assert kept.seed == 1 and kept.finished


def test_a_seed_is_drawn_where_none_is_asked_for(tmp_path):
    words = ("--json", "--record-dir", tmp_path)
    (episode,) = json.loads(invoke("run", ActionName.WAIT, *words).stdout)["episodes"]
    assert 0 <= episode["seed"] < run.DRAWN_SEEDS


def test_losses_are_explained_where_asked_for(tmp_path):
    words = ("--seed", 1, "--explain", "--record-dir", tmp_path)
    assert "never recovered" in invoke("run", ActionName.WAIT, *words).stdout


@pytest.mark.parametrize(
    ("words", "listed"),
    [
        (("genius",), "runbook"),
        (("oracle", "--backend", "moon"), "simulator"),
        (("oracle", "--tier", "impossible"), Tier.MEDIUM),
        (("no_such_module:Policy",), "no_such_module"),
    ],
)
def test_a_bad_argument_lists_the_valid_values(words, listed):
    result = invoke("run", *words)
    assert result.exit_code == 2
    assert listed in result.stderr and result.stdout == ""


def test_an_interrupt_says_how_many_episodes_were_played(tmp_path, monkeypatch):
    def interrupted(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "play", interrupted)
    result = invoke("run", "oracle", "--record-dir", tmp_path)
    assert result.exit_code == 130
    assert f"interrupted after 0 episodes; records: {tmp_path}" in result.stderr


def test_a_terminal_shows_every_step(monkeypatch):
    drawn = StringIO()
    console = Console(file=drawn, force_terminal=True, width=80)
    monkeypatch.setattr(run, "messages_console", lambda: console)
    with run.watching(Tier.EASY, "easy, seed 4") as watch:
        simulated(ActionName.WAIT, Tier.EASY, 4, watch=watch)
    text = drawn.getvalue()
    assert all(f"step {step}/30" in text for step in range(31))
