"""The simulator plays each recorded key once; the command writes a report or names the problem."""

import re

import pytest
import typer
from typer.testing import CliRunner

from orchestrator.environment import Environment
from orchestrator.settings import Settings
from sre_autopilot.cli.dev.sim_to_real import command
from sre_autopilot.cli.errors import BadInput
from sre_autopilot.evaluation.plots.sim_to_real import (
    DRAWINGS,
    draw_policies,
)
from sre_autopilot.evaluation.sim_to_real import run as sim_to_real
from sre_autopilot.evaluation.sim_to_real.ablation import UNFITTED
from sre_autopilot.evaluation.sim_to_real.run import compare, simulate
from sre_autopilot.simulator.calibration.recordings import Key, write
from sre_autopilot.world.vocabulary import Tier
from tests.sre_autopilot.evaluation.sim_to_real.recorded_worlds import (
    REAL,
    SIM,
    played,
    real_world,
    recording,
    world,
)
from tests.sre_autopilot.evaluation.test_results import result
from tests.watched_simulator import WatchedSimulator


def test_simulate_plays_each_key():
    keys = [Key("wait", Tier.EASY, 3), Key("oracle", Tier.MEDIUM, 4)]
    with Environment(WatchedSimulator) as environment:
        recordings = list(simulate(keys, environment))
    assert [one.key for one in recordings] == keys
    assert {one.backend for one in recordings} == {WatchedSimulator.name}


def test_every_key_is_played_once(real):
    graded = [result(policy="wait", tier=Tier.EASY, seed=seed) for seed in (1, 99)]
    keys = real_world(real, fit=real[:3], results=graded).keys
    assert len(keys) == len(set(keys)) == len(real) + 1


def test_scores_of_recorded_and_of_graded_episodes_are_pooled(real, sim):
    """Of an episode that is both, the mean counts."""
    assert not [gap for gap in compare(real_world(real), played(sim)).policies if gap.fails]
    graded = [result(r.score - 0.2, policy=r.policy, tier=r.tier, seed=r.seed) for r in real]
    comparison = compare(real_world(real, results=graded), played(sim))
    assert all(gap.gap.mean == pytest.approx(0.1) and gap.fails for gap in comparison.policies)
    only_graded = compare(real_world(real[:1], results=graded[1:]), played(sim)).policies
    assert sum(gap.episodes for gap in only_graded) == len(real)


PNG = b"\x89PNG"


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Runs the command on the files in `tmp_path`."""
    monkeypatch.setattr(sim_to_real, "make_backend", lambda _settings: WatchedSimulator)
    others = {UNFITTED: [lambda: Environment(WatchedSimulator)]}
    monkeypatch.setattr(sim_to_real, "unfitted_worlds", lambda _backend: others)
    # The layout of the large pictures takes seconds; what they draw has tests of its own.
    monkeypatch.setattr(sim_to_real, "DRAWINGS", dict.fromkeys(DRAWINGS, draw_policies))
    app = typer.Typer()
    app.command()(command)

    def invoke(*options):
        folders = ("--data", tmp_path, "--results", tmp_path, "--pictures", tmp_path / "drawn")
        arguments = [str(a) for a in (*folders, "--out", tmp_path / "reports" / "gap.md", *options)]
        return CliRunner(env={"COLUMNS": "300"}).invoke(app, arguments)

    return invoke


def test_command_writes_a_report_and_its_pictures(run, tmp_path):
    few = world(REAL, seeds=range(1))
    write(tmp_path / f"{REAL}-heldout.npz", few)
    write(tmp_path / f"{REAL}-fit.npz", few[:2])
    graded = [result(backend=REAL, policy="wait", tier=Tier.EASY, seed=seed) for seed in (7, 8)]
    lines = "\n".join(each.model_dump_json() for each in graded)
    (tmp_path / f"{REAL}.jsonl").write_text(lines)
    done = run()
    assert done.exit_code == 0, done.output
    text = (tmp_path / "reports" / "gap.md").read_text(encoding="ascii")
    assert f"Against the {REAL} backend" in text
    assert "| wait | 6 |" in text, "four that were recorded, two that were graded"
    assert f"| {UNFITTED} |" in text
    links = re.findall(r"!\[.*\]\((.*)\)", text)
    assert len(links) == len(DRAWINGS)
    assert all((tmp_path / "reports" / link).read_bytes().startswith(PNG) for link in links)


def test_simulator_is_that_of_the_real_backend(monkeypatch):
    asked: list[Settings] = []
    monkeypatch.setattr(sim_to_real, "make_backend", asked.append)
    sim_to_real.simulator_of(REAL)
    assert [(s.backend, s.simulator_of) for s in asked] == [(SIM, REAL)]


def test_no_recordings_are_an_error(run, tmp_path):
    done = run()
    assert isinstance(done.exception, BadInput)
    assert "heldout" in str(done.exception)
    assert not (tmp_path / "reports").exists()


def test_recordings_of_another_world_are_named(run, tmp_path):
    write(tmp_path / f"{REAL}-heldout.npz", [recording(world_version="0")])
    done = run()
    assert isinstance(done.exception, BadInput)
    assert f"{REAL}-heldout.npz" in str(done.exception)


def test_backend_without_recordings_is_named(run):
    done = run("--backends", "moon")
    assert isinstance(done.exception, BadInput)
    assert "moon-heldout.npz" in str(done.exception)


def test_unknown_policy_is_named(run, tmp_path):
    write(tmp_path / f"{REAL}-heldout.npz", [recording(policy="genius")])
    done = run()
    assert isinstance(done.exception, BadInput)
    assert "genius" in str(done.exception)
