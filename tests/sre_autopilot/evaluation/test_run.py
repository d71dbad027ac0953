"""Evaluation plays missing episodes, keeps those it has, and counts failures."""

from dataclasses import replace

import pytest

from orchestrator.errors import BackendError
from sre_autopilot.evaluation.results import read_results
from sre_autopilot.evaluation.run import Job, Meshes, missing, play_all, replay_text
from sre_autopilot.grading import UNCONTENDED, Verdict
from sre_autopilot.world.vocabulary import Tier
from tests.busy_simulator import BusySimulator
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


def test_an_episode_is_played_again_until_its_score_can_be_trusted(tmp_path):
    made = []

    class BusyOnce(BusySimulator):
        """Busy in its first episode, then not; and its second one fails."""

        async def launch(self, seed):
            made.append(seed)
            if len(made) == 2:
                raise BackendError("no mesh just now")
            await super().launch(seed)

        async def observe(self, step, open_breakers=()):
            busy = await super().observe(step, open_breakers)
            return busy if len(made) == 1 else replace(busy, host=UNCONTENDED)

    out = tmp_path / "results.jsonl"
    job = Job("wait", Tier.CONTROL, 7)
    assert play_all([job], Meshes(BusyOnce, None), out, width=1) == 0
    (result,) = read_results(out)
    assert made == [7, 7, 7]
    assert (result.validity, result.plays) == (Verdict.VALID, 3)
    assert replay_text([result]).startswith("1 of 1 episodes were played again")
    assert "0 are left out" in replay_text([result])


def test_a_result_that_does_not_count_is_missing_and_replaced(backend, tmp_path):
    out = tmp_path / "results.jsonl"
    job = Job("wait", Tier.CONTROL, 7)
    play_all([job], Meshes(BusySimulator, None), out, width=1)
    assert missing([job], read_results(out)) == [job]
    play_all([job], Meshes(BusySimulator, None), out, width=1)
    assert out.read_text().count("contended") == 2
    assert len(read_results(out)) == 1


def test_valid_results_need_no_words(backend, tmp_path):
    out = tmp_path / "results.jsonl"
    play_all(JOBS[:1], Meshes(backend, None), out, width=1)
    assert replay_text(read_results(out)) == ""
