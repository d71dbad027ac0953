"""Samples keep worlds apart, seeds in order, and what is not known unknown."""

import numpy as np

from sre_autopilot.evaluation.diagnosis import Diagnosis
from sre_autopilot.evaluation.ladder.samples import Sample, samples_of
from sre_autopilot.evaluation.lane_outcomes import Outcomes
from sre_autopilot.evaluation.results import Result
from sre_autopilot.world.vocabulary import WORLD_VERSION, Tier

DIAGNOSIS = Diagnosis(
    first_action_at=3, first_at_cause=False, detected_at=None, actions=2, cost_units=9
)


def result(seed, score, **changes):
    fields = {
        "world_version": WORLD_VERSION,
        "backend": "process",
        "policy": "runbook",
        "tier": Tier.EASY,
        "recovered_at": None,
        "first_broken_at": 1,
        "sla_met_ratio": 0.9,
        "duration_s": 1.0,
        "diagnosis": DIAGNOSIS,
    }
    return Result(seed=seed, score=score, **(fields | changes))


def test_results_of_two_worlds_are_two_samples():
    results = [result(1, 0.5), result(1, 0.7, backend="docker"), result(2, 0.6)]
    samples = samples_of(results)
    assert [(sample.world, sample.scores.tolist()) for sample in samples] == [
        ("process", [[0.5, 0.6]]),
        ("docker", [[0.7]]),
    ]


def test_policies_and_tiers_are_samples_of_their_own():
    results = [
        result(1, 0.5),
        result(1, 0.6, policy="belief"),
        result(1, 0.7, tier=Tier.HARD),
    ]
    cells = {(sample.policy, sample.tier): sample.scores.item() for sample in samples_of(results)}
    assert cells == {
        ("runbook", Tier.EASY): 0.5,
        ("belief", Tier.EASY): 0.6,
        ("runbook", Tier.HARD): 0.7,
    }


def test_seeds_stand_in_order_however_they_were_played():
    (sample,) = samples_of([result(9, 0.9), result(3, 0.3), result(5, 0.5)])
    assert sample.scores.tolist() == [[0.3, 0.5, 0.9]]


def test_figures_of_a_diagnosis_are_fields_of_the_outcomes():
    (sample,) = samples_of([result(1, 0.5, recovered_at=7)])
    figures = {name: sample.of(name).item() for name in Outcomes._fields}
    assert np.isnan(figures.pop("detected_at"))
    assert figures == {
        "score": 0.5,
        "recovered_at": 7.0,
        "first_action_at": 3.0,
        "first_at_cause": 0.0,
        "actions": 2.0,
        "cost_units": 9.0,
    }


def test_a_world_of_which_no_result_counts_has_no_sample():
    assert samples_of([result(1, 0.5, validity="broken")]) == []


def test_trainings_are_rows_of_the_scores():
    trainings = [Outcomes.blank(3), Outcomes.blank(3)]
    for outcomes, score in zip(trainings, (0.5, 0.25), strict=True):
        outcomes.score[:] = score
    sample = Sample("simulator", "learned", Tier.HARD, trainings)
    assert sample.scores.tolist() == [[0.5] * 3, [0.25] * 3]
