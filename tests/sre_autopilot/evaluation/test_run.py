"""Evaluation plays what is missing, keeps what is there, and counts what failed."""

import pytest
import typer
from typer.testing import CliRunner

from orchestrator.errors import BackendError
from sre_autopilot.evaluation import run as evaluate
from sre_autopilot.evaluation.results import read_results
from sre_autopilot.evaluation.run import Job, Meshes, missing, play_all
from sre_autopilot.world.vocabulary import ActionName, FaultKind, Tier
from tests.paper_mesh import PaperMesh

JOBS = [Job(policy, Tier.EASY, seed) for seed in (1, 2, 3) for policy in ("oracle", "random")]


@pytest.fixture
def made():
    return []


@pytest.fixture
def backend(made):
    def make():
        made.append(PaperMesh())
        return made[-1]

    return make


def test_every_job_has_a_result_and_a_record(backend, tmp_path):
    out = tmp_path / "results.jsonl"
    assert play_all(JOBS, Meshes(backend, tmp_path / "episodes"), out, width=2) == 0
    results = read_results(out, PaperMesh.name)
    assert {Job(r.policy, r.tier, r.seed) for r in results} == set(JOBS)
    assert len(list((tmp_path / "episodes").glob("*.jsonl"))) == len(JOBS)


def test_results_do_not_depend_on_how_many_play_at_once(backend, tmp_path):
    scores = []
    for width in (1, 3):
        out = tmp_path / f"{width}.jsonl"
        play_all(JOBS, Meshes(backend, tmp_path / "episodes"), out, width=width)
        scores.append({(r.policy, r.seed): r.score for r in read_results(out, PaperMesh.name)})
    assert scores[0] == scores[1]


def test_as_many_meshes_as_asked_for_and_all_are_closed(backend, made, tmp_path):
    play_all(JOBS, Meshes(backend, tmp_path / "episodes"), tmp_path / "out.jsonl", width=2)
    assert 1 <= len(made) <= 2
    assert all(mesh.closed for mesh in made)


def test_what_is_there_is_not_played_again(backend, tmp_path):
    out = tmp_path / "results.jsonl"
    play_all(JOBS[:2], Meshes(backend, tmp_path / "episodes"), out, width=1)
    assert missing(JOBS, read_results(out, PaperMesh.name)) == JOBS[2:]
    assert missing(JOBS, read_results(out, "another")) == JOBS


def test_a_failed_episode_is_counted_and_the_rest_goes_on(tmp_path):
    class Failing(PaperMesh):
        async def launch(self, seed):
            if seed == 2:
                raise BackendError("no mesh today")
            await super().launch(seed)

    out = tmp_path / "results.jsonl"
    meshes = Meshes(Failing, tmp_path / "episodes")
    assert play_all(JOBS, meshes, out, width=1) == 2
    assert {r.seed for r in read_results(out, PaperMesh.name)} == {1, 3}


@pytest.mark.parametrize(
    ("option", "value", "listed"),
    [
        ("--policies", "genius", "runbook"),
        ("--tiers", "impossible", "medium"),
        ("--seeds", "0", "1"),
    ],
)
def test_bad_options_list_the_valid_values_and_play_nothing(option, value, listed, tmp_path):
    app = typer.Typer()
    app.command()(evaluate.main)
    out = tmp_path / "results.jsonl"
    result = CliRunner().invoke(app, [option, value, "--out", str(out)])
    assert result.exit_code == 2
    assert listed in result.output
    assert not out.exists()


def test_an_unknown_backend_lists_the_known_ones(monkeypatch, tmp_path):
    monkeypatch.setenv("SRE_BACKEND", "moon")
    app = typer.Typer()
    app.command()(evaluate.main)
    result = CliRunner().invoke(app, ["--policies", ActionName.WAIT])
    assert result.exit_code == 2
    assert "process" in result.output


def test_a_fault_of_ones_own_has_results_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setenv("SRE_FAULT", FaultKind.SINGLE_OOM)
    monkeypatch.setattr(evaluate, "make_backend", lambda _settings: PaperMesh)
    monkeypatch.setenv("SRE_BACKEND", PaperMesh.name)
    app = typer.Typer()
    app.command()(evaluate.main)
    out = tmp_path / "results.jsonl"
    one = ["--policies", ActionName.WAIT, "--tiers", Tier.HARD, "--seeds", "1", "--out", str(out)]
    result = CliRunner().invoke(app, one)
    assert result.exit_code == 0, result.output
    assert not out.exists()
    assert len((tmp_path / f"results-{FaultKind.SINGLE_OOM}.jsonl").read_text().splitlines()) == 1
    (record,) = (tmp_path / "episodes").glob("*.jsonl")
    assert f'"kind": "{FaultKind.SINGLE_OOM}"' in record.read_text()
