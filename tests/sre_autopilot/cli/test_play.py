"""A scripted person plays on the simulator: every line is answered, and a summary ends it."""

import json

import pytest

from chaos.tiers import draw_faults
from sre_autopilot import grading
from sre_autopilot.cli import play
from sre_autopilot.policies import DEFAULT_POLICY
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import MAX_STEPS, ActionName, Tier
from tests.sre_autopilot.cli.terminal import invoke, is_narrow

SEED = 4


def scripted(folder, *lines, options=()):
    words = ("--tier", Tier.EASY, "--seed", SEED, "--record-dir", folder, *options)
    return invoke("play", *words, stdin="\n".join(lines) + "\n" if lines else "")


def record_of(folder):
    (file,) = folder.glob("*.jsonl")
    (record,) = grading.read_episodes(file.read_text().splitlines())
    return record


@pytest.fixture(scope="module")
def root():
    """The service that is broken in the episode."""
    (fault,) = draw_faults(Tier.EASY, SEED)
    return fault.root


def test_a_whole_episode_ends_with_its_summary(tmp_path, root):
    result = scripted(tmp_path, f"restart {root}", *[""] * MAX_STEPS)
    assert result.exit_code == 0, result.output
    record = record_of(tmp_path)
    assert record.finished and record.policy == play.POLICY
    assert f"broken     {record.faults[0].kind} at {root}" in result.stdout
    assert f"score      {record.score:.3f}" in result.stdout
    assert "lost       -" in result.stdout
    assert f"{tmp_path}/{record.episode_id}.jsonl" in result.stdout


def test_every_step_is_shown_and_every_line_echoed(tmp_path):
    result = scripted(tmp_path, f"rollback {Service.USER_DB}", "wait", "quit")
    text = result.stdout
    assert f"backend simulator, seed {SEED}" in text
    assert "page: You are on call" in text
    assert "the episode begins" in text
    assert f"step 1/30  {ActionName.ROLLBACK} {Service.USER_DB}" in text
    assert f"step 2/30  {ActionName.WAIT}" in text
    assert f"> rollback {Service.USER_DB}" in text


def test_output_fits_in_80_columns_but_for_the_path(tmp_path):
    lines = scripted(tmp_path, "help", "traces", "quit").stdout.splitlines()
    assert is_narrow("\n".join(line for line in lines if "record:" not in line))


def test_hints_say_what_the_default_policy_would_do_next(tmp_path, root):
    text = scripted(tmp_path, f"restart {root}", "quit", options=["--hint"]).stdout
    hints = [line for line in text.splitlines() if line.startswith("hint: ")]
    assert len(hints) == 2
    assert hints[0] == f"hint: restart {root} ({DEFAULT_POLICY})"


def test_nothing_is_hinted_unless_asked_for(tmp_path):
    assert "hint: " not in scripted(tmp_path, "wait", "quit").stdout


def test_help_lists_actions_with_costs_and_services(tmp_path):
    text = scripted(tmp_path, "help", "quit").stdout
    assert all(f"{name}" in text for name in (*ActionName, *Service))
    assert "ends the episode" in text.lower()


def test_traces_show_the_calls_seen(tmp_path):
    text = scripted(tmp_path, "traces", "quit").stdout
    header = next(line for line in text.splitlines() if "caller" in line)
    assert header.split() == ["caller", "callee", "calls", "errors", "p99", "ms"]


def test_a_line_that_means_nothing_is_answered_and_costs_no_step(tmp_path):
    result = scripted(tmp_path, "fix it", "restart moon", "quit")
    assert "unknown action 'fix'" in result.stdout
    assert "unknown service_id 'moon'" in result.stdout
    assert len(record_of(tmp_path).steps) == 1


def test_a_refused_action_says_why(tmp_path):
    result = scripted(tmp_path, *[f"rollback {Service.USER_DB}"] * 2, "quit")
    assert "refused: " in result.stdout


@pytest.mark.parametrize("lines", [("wait", "quit"), ("wait",)])
def test_quitting_or_the_end_of_the_input_ends_the_episode_unscored(tmp_path, lines):
    result = scripted(tmp_path, *lines)
    assert result.exit_code == 0, result.output
    assert "none: the episode ended early, at step 1" in result.stdout
    record = record_of(tmp_path)
    assert not record.finished and record.score is None


def test_json_is_alone_on_standard_output(tmp_path, root):
    result = scripted(tmp_path, f"restart {root}", *[""] * MAX_STEPS, options=("--json",))
    printed = json.loads(result.stdout)
    assert printed["score"]["total"] == record_of(tmp_path).score
    assert "the episode begins" in result.stderr


def test_an_interrupt_says_where_the_record_is(tmp_path, monkeypatch):
    def interrupted(_game):
        raise KeyboardInterrupt

    monkeypatch.setattr(play.Game, "play_to_the_end", interrupted)
    result = scripted(tmp_path)
    assert result.exit_code == 130
    assert f"the record so far is in {tmp_path}" in result.stderr
    assert not record_of(tmp_path).finished


def test_a_record_that_could_not_be_written_is_not_named(tmp_path):
    (tmp_path / "file").touch()
    result = scripted(tmp_path / "file" / "records", "quit")
    assert result.exit_code == 0, result.output
    assert "record: none" in result.stdout
