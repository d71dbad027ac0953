"""Results are read back as they were written; means have honest intervals."""

import pytest

from orchestrator.environment import Environment
from sre_autopilot.evaluation.results import (
    COLUMNS,
    Cell,
    Result,
    cells,
    paired,
    read_results,
)
from sre_autopilot.policies import load_policy
from sre_autopilot.policies.play import play
from sre_autopilot.world.vocabulary import WORLD_VERSION, Tier
from tests.watched_simulator import WatchedSimulator


def result(score=0.5, **changes):
    fields = {
        "world_version": WORLD_VERSION,
        "backend": "paper",
        "policy": "runbook",
        "tier": Tier.EASY,
        "seed": 1,
        "score": score,
        "recovered_at": None,
        "first_broken_at": 1,
        "sla_met_ratio": 0.9,
        "duration_s": 1.0,
    }
    return Result(**(fields | changes))


def test_the_result_of_an_episode_is_what_the_record_says():
    with Environment(WatchedSimulator) as environment:
        record, score = play(environment, load_policy("wait"), Tier.MEDIUM, 4)
    kept = Result.of(record, "wait")
    assert kept.score == pytest.approx(score.total, abs=1e-6)
    assert kept.first_broken_at is not None
    assert not record.steps[kept.first_broken_at].sla_met
    assert all(record.steps[step].sla_met for step in range(1, kept.first_broken_at))
    assert 0.0 < kept.sla_met_ratio < 1.0


def test_results_of_other_worlds_are_left_alone(tmp_path):
    path = tmp_path / "results.jsonl"
    mine = [result(), result(seed=2)]
    others = [result(world_version="0"), result(backend="another")]
    path.write_text("\n".join(r.model_dump_json() for r in (*mine, *others)) + "\n")
    assert read_results(path, "paper") == mine


def test_of_results_of_two_weights_the_later_ones_stay(tmp_path):
    path = tmp_path / "results.jsonl"
    earlier = [result(weights="a"), result(seed=2, weights="a"), result(seed=3)]
    later = [result(weights="b"), result(seed=3, weights="b")]
    path.write_text("\n".join(r.model_dump_json() for r in (*earlier, *later)) + "\n")
    assert read_results(path) == [earlier[1], *later]


def test_missing_file_holds_no_results(tmp_path):
    assert read_results(tmp_path / "none.jsonl", "paper") == []


def test_garbled_line_is_an_error_that_names_the_line(tmp_path):
    path = tmp_path / "results.jsonl"
    path.write_text(result().model_dump_json()[:-5])
    with pytest.raises(ValueError, match=r"results.jsonl, line 1: not a result"):
        read_results(path, "paper")


def test_cells_stand_by_tier_the_best_policy_first():
    results = [
        result(0.3, tier=Tier.HARD, policy="random"),
        result(0.9, tier=Tier.HARD, policy="oracle"),
        result(0.2, tier=Tier.EASY, policy="random"),
    ]
    assert [(c.tier, c.policy) for c in cells(results)] == [
        (Tier.EASY, "random"),
        (Tier.HARD, "oracle"),
        (Tier.HARD, "random"),
    ]


def test_a_row_has_a_value_for_every_column():
    cell = Cell(Tier.EASY, "runbook", [result(0.4, recovered_at=3), result(0.6)])
    row = dict(zip(COLUMNS, cell.row(), strict=True))
    assert row["mean"] == "0.500"
    assert row["recovered"] == "1/2"
    assert row["SLA met (%)"] == "90.0"


def test_results_of_two_backends_are_compared_seed_by_seed():
    here = [result(seed=1, score=0.5), result(seed=2, score=0.7), result(seed=3, score=0.9)]
    there = [result(seed=1, score=0.4), result(seed=2, score=0.5), result(seed=9, score=0.0)]
    (row,) = paired(here, there)
    assert row[:4] == ("easy", "runbook", "3", "0.700")
    assert row[-2:] == ("0.450 (2)", "+0.150")


def test_episodes_without_a_counterpart_have_no_difference():
    assert paired([result()], [])[0][-2:] == ("-", "-")


def test_results_that_do_not_count_are_in_no_mean_but_in_sight():
    contended = [result(0.1, validity=verdict) for verdict in ("contended", "broken")]
    trusted = [result(0.4, validity="valid", plays=3), result(0.6)]
    (cell,) = cells([*trusted, *contended])
    assert (cell.mean, cell.left_out, cell.row()[2]) == (0.5, 2, "2")
    printed = cell.as_json()
    assert (printed["episodes"], printed["left_out"], printed["played_again"]) == (2, 2, 2)
    assert paired(contended, trusted)[0][-2:] == ("-", "-")


def test_a_cell_of_which_no_result_counts_has_no_mean():
    (cell,) = cells([result(0.1, validity="contended")])
    assert cell.row() == ("easy", "runbook", "0", "-", "-", "-", "-")
    assert "mean" not in cell.as_json()


def test_an_untrusted_result_is_replaced_by_a_later_one(tmp_path):
    path = tmp_path / "results.jsonl"
    contended, valid = result(0.1, validity="contended"), result(0.5, validity="valid")
    for played, kept in (
        ([contended, valid], [valid]),
        ([contended, contended], [contended]),
        ([valid, valid], [valid, valid]),
        ([contended, result(seed=2)], [contended, result(seed=2)]),
    ):
        path.write_text("\n".join(r.model_dump_json() for r in played) + "\n")
        assert read_results(path) == kept
