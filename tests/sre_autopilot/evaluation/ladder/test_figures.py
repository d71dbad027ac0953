"""Rungs stand by their scores, references on top; what was not measured stays empty."""

from functools import partial

import numpy as np
import pytest

from sre_autopilot.errors import InvalidValue
from sre_autopilot.evaluation.diagnosis import Diagnosis
from sre_autopilot.evaluation.ladder import figures, report
from sre_autopilot.evaluation.ladder.document import Ladder
from sre_autopilot.evaluation.ladder.figures import THRESHOLDS, bound_on, rungs, tier_figures
from sre_autopilot.evaluation.ladder.samples import Sample, samples_of
from sre_autopilot.evaluation.lane_outcomes import Outcomes
from sre_autopilot.evaluation.results import Result
from sre_autopilot.world.vocabulary import FAULTY_TIERS, WORLD_VERSION, Tier

SIMULATED, REAL = "simulator", "process"
NEVER = float("nan")


def outcomes(*scores, recovered_at=4.0):
    blank = Outcomes.blank(len(scores))
    blank.score[:], blank.recovered_at[:] = scores, recovered_at
    return blank


def sample(policy, mean, tier=Tier.EASY, *, world=SIMULATED, trainings=1):
    scores = np.linspace(mean - 0.02, mean + 0.02, 8)
    return Sample(world, policy, tier, [outcomes(*scores)] * trainings)


def result(seed=1, score=0.5, **changes):
    fields = {
        "world_version": WORLD_VERSION,
        "backend": REAL,
        "policy": "runbook",
        "tier": Tier.EASY,
        "seed": seed,
        "score": score,
        "recovered_at": 4,
        "first_broken_at": 1,
        "sla_met_ratio": 0.9,
        "duration_s": 1.0,
    }
    return Result(**(fields | changes))


@pytest.fixture(scope="module")
def ladder():
    """Two policies and a reference on all tiers of the simulator, one on one tier of a real one."""
    means = {"random": 0.25, "belief": 0.85, "oracle": 0.8}
    samples = [sample(name, mean, tier) for name, mean in means.items() for tier in Tier]
    with pytest.MonkeyPatch.context() as patch:
        for name in ("estimate", "improvement"):
            patch.setattr(figures, name, partial(getattr(figures, name), resamples=50))
        made = rungs([*samples, sample("belief", 0.8, Tier.HARD, world=REAL)], {"oracle"})
    bound = bound_on(SIMULATED, Tier.HARD, "bound", np.array([0.8, 0.9]))
    return Ladder(
        world_version=WORLD_VERSION,
        simulator_of=REAL,
        first_seed=200_000,
        thresholds=THRESHOLDS,
        rungs=(bound, *made),
        missing=("learned",),
    )


def test_references_stand_above_and_the_others_by_their_scores(ladder):
    order = [(rung.world, rung.policy) for rung in ladder.rungs]
    names = ("bound", "oracle", "belief", "random")
    assert order == [*((SIMULATED, name) for name in names), (REAL, "belief")]
    assert [rung.is_reference for rung in ladder.rungs] == [True, True, False, False, False]


def test_a_rung_is_compared_with_the_next_one_below(ladder):
    belief, lowest, real = ladder.rungs[2:]
    assert (belief.overall.over, belief.overall.improvement.mean) == ("random", 1.0)
    assert [share.mean for share in belief.overall.above] == [1.0, 1.0, 1.0, 1.0, 0.0]
    assert lowest.overall.over is None and real.overall is None


def test_a_ladder_is_read_back_as_it_was_written(ladder, tmp_path):
    ladder.write(tmp_path / "ladder.json")
    assert Ladder.read(tmp_path / "ladder.json") == ladder


@pytest.mark.parametrize("content", ["", "{}"])
def test_a_file_that_is_no_ladder_says_what_writes_one(tmp_path, content):
    (tmp_path / "ladder.json").write_text(content)
    with pytest.raises(InvalidValue, match="sre-autopilot dev ladder"):
        Ladder.read(tmp_path / "ladder.json")


def test_tables_have_a_cell_for_every_column(ladder):
    for columns, table in (
        (report.SCORE_COLUMNS, report.score_rows(ladder.rungs)),
        (report.DIAGNOSIS_COLUMNS, report.diagnosis_rows(ladder.rungs)),
        (report.profile_columns(ladder), report.profile_rows(ladder.rungs)),
    ):
        assert {len(row) for row in table} == {len(columns)}
    names = [row[1] for row in report.score_rows(ladder.rungs)]
    assert names[:2] == ["bound (reference)", "oracle (reference)"]
    assert "`learned`" in report.state_text(ladder) and "200000" in report.state_text(ladder)


def test_a_cell_says_what_was_diagnosed_and_what_that_cost():
    outcome = Outcomes(*np.array([[0.5, 4, 2, 1, 2, 2, 3], [0.5, NEVER, 3, 0, NEVER, 1, 8]]).T)
    (rung,) = rungs([Sample(REAL, "runbook", Tier.HARD, [outcome])], set())
    (row,) = report.diagnosis_rows([rung])
    cells = dict(zip(report.DIAGNOSIS_COLUMNS, row, strict=True))
    assert cells[Tier.HARD] == "50 % / 2.0 / 4.0 / 5.5"
    assert cells[Tier.EASY] == cells["control, left alone"] == "-"
    assert rung.tiers[0].recovered == 0.5


def test_control_says_how_often_it_was_left_alone():
    untouched = Outcomes.blank(4)
    untouched.actions[0] = 1.0
    (rung,) = rungs([Sample(REAL, "wait", Tier.CONTROL, [untouched])], set())
    assert next(report.diagnosis_rows([rung]))[-1] == "75 %"


def test_trainings_are_counted_and_named():
    (rung,) = rungs([sample("learned", 0.8, trainings=3)], set())
    assert (rung.trainings, rung.tiers[0].episodes) == (3, 24)
    assert next(report.score_rows([rung]))[1] == "learned, 3 trainings"


def test_results_without_a_diagnosis_leave_its_figures_empty():
    diagnosis = Diagnosis(
        first_action_at=2, first_at_cause=True, detected_at=2, actions=1, cost_units=1
    )
    older, newer = result(), result(2, diagnosis=diagnosis, recovered_at=None)
    untrusted = result(3, score=0.0, validity="contended")
    (one,) = samples_of([older, untrusted])
    assert tier_figures(one).actions is None and tier_figures(one).hands_off is None
    assert (tier_figures(one).episodes, tier_figures(one).recovered) == (1, 1.0)
    (two,) = samples_of([newer])
    assert (tier_figures(two).first_at_cause, tier_figures(two).recovered) == (1.0, 0.0)
    assert list(report.diagnosis_rows(rungs([one], set()))) == []


def test_tiers_with_fewer_seeds_are_pooled_with_as_many_of_the_others():
    many = [result(seed, 0.9, tier=tier) for tier in FAULTY_TIERS[:-1] for seed in range(6)]
    few = [result(seed, 0.5, tier=FAULTY_TIERS[-1]) for seed in range(2)]
    (rung,) = rungs(samples_of([*many, *few]), set())
    assert rung.overall is not None
    # Three of four tiers score .9: one of eight pooled scores in four is .5, and is cut off.
    assert rung.overall.middle.mean == pytest.approx(0.9)
    assert rung.overall.above[-1].mean == 0.0 and rung.overall.above[0].mean == 0.75
