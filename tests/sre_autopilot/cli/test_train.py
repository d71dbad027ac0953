"""`train`: what it says of wrong options, and a whole training where torch is installed."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from sre_autopilot.cli import train
from sre_autopilot.policies.network import load
from sre_autopilot.training.recipe import SHIPPED, recipe_text
from sre_autopilot.world.vocabulary import Tier
from tests.sre_autopilot.cli.terminal import invoke

needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="needs the extra train")
SMALL = ("--recipe", "small.toml", "--score-seeds", 2, "--baselines", "")


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A folder to train in, with a recipe of two updates."""
    monkeypatch.chdir(tmp_path)
    changes = {"samples": 128, "lanes": 8, "horizon": 8, "hidden": [16, 16]}
    lines = [
        f"{name} = {changes[name]}" if (name := line.partition(" ")[0]) in changes else line
        for line in recipe_text(SHIPPED).splitlines()
    ]
    Path("small.toml").write_text("\n".join(lines))


def test_without_torch_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(train, "find_spec", lambda _name: None)
    result = invoke("train")
    assert result.exit_code == 2
    assert "[train]" in result.stderr


@needs_torch
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--recipe", "fastest"), "valid values: easy-medium, shipped, terminal-only, a file"),
        (("--resume",), "resume must be a folder with a checkpoint.pt"),
        (("--baselines", "genius"), "unknown policy 'genius'"),
    ],
)
def test_a_wrong_option_is_named(small, options, message):
    result = invoke("train", *options)
    assert result.exit_code == 2
    assert message in result.stderr.replace("\n", " ")


@needs_torch
def test_a_training_ends_with_a_table_and_its_weights(small):
    result = invoke("train", *SMALL, "--out", "mine/learned.npz")
    assert result.exit_code == 0, result.output
    assert train.LEARNER in result.stdout
    provenance = load(Path("mine/learned.npz")).provenance
    assert (provenance.seed, provenance.samples) == (0, 128)
    assert provenance.recipe == Path("small.toml").read_text()


@needs_torch
def test_json_has_the_scores_and_the_folder(small):
    result = invoke("train", *SMALL, "--seed", 3, "--json")
    printed = json.loads(result.stdout)
    assert printed["folder"] == "runs/train/small-3"
    assert printed["scores"][train.LEARNER].keys() == {*Tier}


@needs_torch
def test_going_on_needs_the_same_training(small):
    assert invoke("train", *SMALL).exit_code == 0
    result = invoke("train", *SMALL, "--samples", 256, "--resume")
    assert result.exit_code == 2
    assert "--samples" in result.stderr
    assert invoke("train", *SMALL, "--resume").exit_code == 0


@needs_torch
def test_an_interrupted_training_says_how_to_go_on(small, monkeypatch):
    def interrupted(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("sre_autopilot.training.trainer.train", interrupted)
    result = invoke("train", *SMALL)
    assert result.exit_code == 130
    assert "--resume" in result.stderr


@needs_torch
def test_other_policies_are_scored_first_and_stand_in_the_table(small):
    result = invoke("train", *SMALL[:-1], "wait,heuristic")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    places = [
        next(place for place, line in enumerate(lines) if line.strip().startswith(name))
        for name in ("wait", "heuristic", train.LEARNER)
    ]
    assert places == sorted(places)
    assert all(tier in result.stdout for tier in Tier)


@needs_torch
def test_progress_names_samples_and_scores(small):
    result = invoke("train", *SMALL)
    assert "128 samples" in result.stderr
    line = " ".join(result.stderr.split())
    assert all(f"{tier} 0." in line for tier in Tier)
