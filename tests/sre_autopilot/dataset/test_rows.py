"""Rows hold what the record holds: the action, what the agent saw, and the truth."""

import json

import pytest

from sre_autopilot.dataset.rows import NO_SPLIT, episode_row, split_of, step_rows
from sre_autopilot.grading import grade, read_episodes
from sre_autopilot.models import SREObservation
from sre_autopilot.world.vocabulary import SEED_SPLITS
from tests.architecture.source import ROOT


@pytest.fixture(scope="module")
def record():
    lines = (ROOT / "docs/examples/episode.jsonl").read_text().splitlines()
    (record,) = read_episodes(lines)
    return record


def test_each_step_has_a_row_with_its_action_and_both_sides_of_the_noise(record):
    score = grade(record)
    rows = list(step_rows(record, score))
    assert [row.step for row in rows] == list(range(len(record.steps)))
    for row, step in zip(rows, record.steps, strict=True):
        observation = SREObservation.model_validate(step.observed)
        assert row.action == (step.action and step.action.action)
        assert [each.service for each in row.observed] == list(observation.metrics)
        assert [each.cpu_pct for each in row.true] == [t.cpu_pct for t in step.true.values()]
        assert [each.sla_met for each in row.true] == [t.sla_met for t in step.true.values()]
        assert [each.latency_p99 for each in row.observed] == [
            metrics.latency_p99 for metrics in observation.metrics.values()
        ]
        assert len(row.edges) == len(observation.trace_edges)
        assert (row.done, row.reward) == (
            (True, score.total) if step is record.steps[-1] else (False, 0.0)
        )


def test_an_episode_has_a_row_with_its_faults_and_its_score(record):
    row = episode_row(record, grade(record))
    (fault,) = row.faults
    assert (fault.kind, fault.root) == (record.faults[0].kind, record.faults[0].root)
    assert json.loads(fault.parameters) == record.faults[0].parameters
    assert row.score == pytest.approx(record.score)
    assert row.steps == len(record.steps) - 1


def test_process_rewards_stand_beside_their_actions(record):
    rewards = [0.1 * step for step in range(1, len(record.steps))]
    rows = list(step_rows(record, grade(record), rewards))
    assert [row.process_reward for row in rows] == [None, *rewards]
    with pytest.raises(ValueError, match="process rewards"):
        list(step_rows(record, grade(record), rewards[1:]))


def test_seeds_keep_their_splits():
    assert {split_of(seeds[0]) for seeds in SEED_SPLITS.values()} == {*SEED_SPLITS}
    assert split_of(SEED_SPLITS["test"][-1] + 1) == NO_SPLIT
