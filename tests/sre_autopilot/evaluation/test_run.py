"""Evaluation plays missing episodes, keeps those it has, and counts failures."""

import pytest

from orchestrator.errors import BackendError
from sre_autopilot.evaluation.results import read_results
from sre_autopilot.evaluation.run import Job, Meshes, missing, play_all
from sre_autopilot.world.vocabulary import Tier
from tests.watched_simulator import WatchedSimulator

JOBS = [Job(policy, Tier.EASY, seed) for seed in (1, 2, 3) for policy in ("oracle", "random")]


@pytest.fixture
def made():
    return []


@pytest.fixture
def backend(made):
    def make():
        made.append(WatchedSimulator())
        return made[-1]

    return make


def test_every_job_has_a_result_and_a_record(backend, tmp_path):
    out = tmp_path / "results.jsonl"
    assert play_all(JOBS, Meshes(backend, tmp_path / "episodes"), out, width=2) == 0
    results = read_results(out, WatchedSimulator.name)
    assert {Job(r.policy, r.tier, r.seed) for r in results} == set(JOBS)
    assert len(list((tmp_path / "episodes").glob("*.jsonl"))) == len(JOBS)


def test_results_do_not_depend_on_how_many_play_at_once(backend, tmp_path):
    scores = []
    for width in (1, 3):
        out = tmp_path / f"{width}.jsonl"
        play_all(JOBS, Meshes(backend, tmp_path / "episodes"), out, width=width)
        scores.append(
            {(r.policy, r.seed): r.score for r in read_results(out, WatchedSimulator.name)}
        )
    assert scores[0] == scores[1]


def test_meshes_are_at_most_as_many_as_asked_for_and_all_are_closed(backend, made, tmp_path):
    play_all(JOBS, Meshes(backend, tmp_path / "episodes"), tmp_path / "out.jsonl", width=2)
    assert 1 <= len(made) <= 2
    assert all(mesh.closed for mesh in made)


def test_episodes_with_a_result_are_not_played_again(backend, tmp_path):
    out = tmp_path / "results.jsonl"
    play_all(JOBS[:2], Meshes(backend, tmp_path / "episodes"), out, width=1)
    assert missing(JOBS, read_results(out, WatchedSimulator.name)) == JOBS[2:]
    assert missing(JOBS, read_results(out, "another")) == JOBS


def test_a_failed_episode_is_counted_and_the_rest_goes_on(tmp_path):
    class Failing(WatchedSimulator):
        async def launch(self, seed):
            if seed == 2:
                raise BackendError("no mesh today")
            await super().launch(seed)

    out = tmp_path / "results.jsonl"
    meshes = Meshes(Failing, tmp_path / "episodes")
    assert play_all(JOBS, meshes, out, width=1) == 2
    assert {r.seed for r in read_results(out, WatchedSimulator.name)} == {1, 3}
