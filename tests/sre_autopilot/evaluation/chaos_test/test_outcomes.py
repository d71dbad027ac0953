"""Outcomes are counted by kind; what is wrong is never averaged away."""

import json

import pytest

from sre_autopilot.evaluation.chaos_test.outcomes import (
    ALL,
    COLUMNS,
    as_json,
    percentile,
    summaries,
    table,
)
from tests.sre_autopilot.evaluation.chaos_test.fakes import TRIAL, outcome


@pytest.mark.parametrize(
    "changes", [{"residues": ("port",)}, {"problems": ("500",)}, {"reset_s": None}]
)
def test_residue_problem_and_failed_reset_are_not_good(changes: dict[str, object]) -> None:
    assert outcome().good
    assert not outcome(**changes).good


@pytest.mark.parametrize(
    ("share_pct", "value"), [(0, 1.0), (50, 2.0), (75, 3.0), (99, 4.0), (100, 4.0)]
)
def test_percentile_is_a_value_of_the_sample(share_pct: float, value: float) -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0], share_pct) == value


def test_percentile_of_nothing_is_none() -> None:
    assert percentile([], 50) is None


def test_summaries_count_each_kind_and_all() -> None:
    bad = outcome(clean_s=None, residues=("a", "b"), reset_s=None)
    part, everything = summaries([outcome(clean_s=0.1), outcome(clean_s=0.3), bad])
    assert (part.kind, everything.kind) == (TRIAL.kind, ALL)
    assert (part.kills, part.residues, part.resets) == (3, 1, 2)
    assert (part.clean_p50_s, part.clean_max_s, part.reset_max_s) == (0.1, 0.3, 1.0)


def test_table_has_a_row_a_kind_and_one_of_all() -> None:
    shown_table = table("title", [outcome(), outcome(clean_s=None)])
    assert [column.header for column in shown_table.columns] == [*COLUMNS]
    assert shown_table.row_count == 2


def test_document_is_plain_json() -> None:
    document = json.loads(json.dumps(as_json([outcome()], seed=3)))
    assert document["seed"] == 3
    assert document["outcomes"][0]["trial"]["action"] == TRIAL.action
    assert [summary["kind"] for summary in document["summaries"]] == [TRIAL.kind, ALL]
