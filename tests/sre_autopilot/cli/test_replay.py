"""`replay` draws a record step by step: on a pipe all at once, on a terminal as keys have it."""

import os
import pty
import subprocess
import sys

import pytest

from sre_autopilot.world.vocabulary import MAX_STEPS, Tier
from tests.architecture.source import ROOT
from tests.sre_autopilot.cli.terminal import invoke, is_narrow, simulated

EXAMPLE = ROOT / "docs/examples/episode.jsonl"
LAST = 19


def test_a_replay_on_a_pipe_prints_every_step_and_the_summary():
    result = invoke("replay", EXAMPLE)
    assert result.exit_code == 0, result.output
    for step in range(LAST + 1):
        assert f"{Tier.MEDIUM}  step {step}/{MAX_STEPS}" in result.stdout
    assert "score" in result.stdout
    assert is_narrow(result.stdout)


def test_a_replay_may_begin_later_and_hide_the_end():
    result = invoke("replay", EXAMPLE, "--from", LAST - 1, "--no-summary")
    assert result.stdout.count("  step ") == 2
    assert "broken   " not in result.stdout and "score" not in result.stdout


def test_the_newest_record_of_a_folder_is_replayed(tmp_path):
    for age_s, seed in enumerate((7, 8)):
        file = tmp_path / f"{seed}.jsonl"
        file.write_text(EXAMPLE.read_text().replace('"seed": 7', f'"seed": {seed}', 1))
        os.utime(file, (0, 1000 - age_s))
    assert f"{Tier.MEDIUM}, seed 7" in invoke("replay", tmp_path).stdout


def test_a_folder_without_a_record_is_named(tmp_path):
    for command in ("replay", "debrief"):
        result = invoke(command, tmp_path)
        assert result.exit_code == 2
        assert "no record" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((EXAMPLE, "--from", LAST + 1), "--from"),
        ((EXAMPLE, "--speed", -1), "--speed"),
        (("nowhere.jsonl",), "nowhere.jsonl"),
    ],
)
def test_bad_input_is_named(arguments, word):
    result = invoke("replay", *arguments)
    assert result.exit_code == 2
    assert word in result.stderr


def test_an_episode_of_the_simulator_replays(tmp_path):
    record, _score = simulated("oracle", Tier.EASY, 3, record_dir=tmp_path)
    result = invoke("replay", tmp_path / f"{record.episode_id}.jsonl", "--no-summary")
    assert result.stdout.count("  step ") == len(record.steps)


def test_keys_of_a_terminal_step_and_quit():
    """In a real terminal, which echoes nothing and is as before at the end."""
    own, theirs = pty.openpty()
    command = (sys.executable, "-m", "sre_autopilot.cli", "replay", str(EXAMPLE), "--speed", "0")
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm"},
    ) as process:
        os.close(theirs)
        output = _read_until(own, "q quit")
        os.write(own, b"n")
        output += _read_until(own, f"step 1/{MAX_STEPS}")
        os.write(own, b"q")
        output += _read_until(own, "root_cause")
    os.close(own)
    assert process.returncode == 0
    assert "\nn" not in output


def _read_until(descriptor, text):
    output = ""
    while text not in output:
        output += os.read(descriptor, 65536).decode()
    return output
