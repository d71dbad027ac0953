"""Checks are judged by intervals, and every shipped policy passes them."""

import numpy as np
import pytest
from rich.console import Console
from rich.progress import Progress

from sre_autopilot.evaluation.intervals import Estimate
from sre_autopilot.evaluation.many_seeds import VectorEvaluator
from sre_autopilot.evaluation.score_checks.checks import (
    CHECKS,
    Check,
    Subject,
    Verdict,
    any_fails,
    estimates,
    verdicts,
)
from sre_autopilot.evaluation.score_checks.report import (
    check_rows,
    check_table,
    document,
    score_rows,
    score_table,
    summary,
)
from sre_autopilot.evaluation.score_checks.run import play_all
from sre_autopilot.policies import POLICY_NAMES
from sre_autopilot.policies.scripts import TIER_SCRIPTS
from sre_autopilot.simulator.engines import NUMPY
from sre_autopilot.world.vocabulary import FAULTY_TIERS, SEED_SPLITS, Tier

SEEDS = 50
"""A tier; `make bounds` plays a thousand."""
ANYBODY = Subject("anybody", Tier.EASY)


def spread(mean, width=0.02, count=50):
    """Scores around a mean."""
    return np.linspace(mean - width, mean + width, count)


def estimates_of(**means):
    """Estimates of policies with such means on every tier."""
    scores = {(name, tier): spread(mean) for name, mean in means.items() for tier in Tier}
    return dict(estimates(scores))


@pytest.mark.parametrize(
    ("sense", "low", "high", "verdict"),
    [
        (">=", 0.85, 0.90, Verdict.HOLDS),
        (">=", 0.80, 0.90, Verdict.INCONCLUSIVE),
        (">=", 0.80, 0.84, Verdict.FAILS),
        ("<", 0.80, 0.84, Verdict.HOLDS),
        ("<", 0.80, 0.85, Verdict.INCONCLUSIVE),
        ("<", 0.85, 0.90, Verdict.FAILS),
        (">", 0.85, 0.85, Verdict.FAILS),
    ],
)
def test_verdict_follows_both_ends_of_the_interval(sense, low, high, verdict):
    assert Check(ANYBODY, sense, 0.85).verdict(Estimate(0.85, low, high)) is verdict


def test_checks_cover_every_tier_with_faults():
    statements: dict[str, list[Tier]] = {}
    for check in CHECKS:
        statements.setdefault(check.statement, []).append(check.subject.tier)
    assert statements.pop("oracle >= 0.85") == list(FAULTY_TIERS)
    assert statements.pop("oracle - runbook >= 0.1") == [Tier.MEDIUM, Tier.HARD, Tier.EXPERT]
    assert statements.pop("heuristic - random > 0") == list(FAULTY_TIERS)
    for script in TIER_SCRIPTS:
        assert statements.pop(f"{script.name} < 0.7") == [script.tier]
    blind = {name for name in POLICY_NAMES if name == "wait" or name.startswith("sweep")}
    assert statements == {f"{name} < 0.6": list(FAULTY_TIERS) for name in blind}


def test_checks_are_of_shipped_policies():
    for check in CHECKS:
        assert {check.subject.policy, check.subject.less or "oracle"} <= {*POLICY_NAMES}


def test_differences_are_of_the_same_seeds():
    base = np.array([0.1, 0.9] * 20)
    scores = {("heuristic", Tier.EASY): base + 0.05, ("random", Tier.EASY): base}
    difference = dict(estimates(scores))[Subject("heuristic", Tier.EASY, "random")]
    assert difference.low == pytest.approx(0.05) == difference.high


def test_subjects_that_were_not_played_get_no_verdict():
    judged = verdicts(estimates_of(oracle=0.9))
    assert {check.subject.policy for check, _verdict in judged} == {"oracle"}
    assert all(check.subject.less is None for check, _verdict in judged)


@pytest.mark.parametrize(("mean", "fails"), [(0.9, False), (0.85, False), (0.3, True)])
def test_only_a_check_that_fails_is_a_failure(mean, fails):
    assert any_fails(estimates_of(oracle=mean)) is fails


def test_summary_counts_each_verdict():
    means = {"oracle": 0.9, "wait": 0.7, "sweep_restart": 0.6}
    assert summary(estimates_of(**means)) == "Of 12 checks 4 hold, 4 fail, and 4 are inconclusive."


def test_rows_have_a_cell_for_every_tier_played():
    played = estimates_of(oracle=0.9, runbook=0.85)
    assert [row[0] for row in score_rows(played)] == ["oracle", "runbook"]
    assert {len(row) for row in score_rows(played)} == {1 + len(Tier)}
    rows = {row[0]: row[1:] for row in check_rows(played)}
    assert {len(row) for row in rows.values()} == {len(FAULTY_TIERS)}
    room = rows["oracle - runbook >= 0.1"]
    assert room[0] == "-" and all(cell.endswith("fails") for cell in room[1:])


def test_document_has_whole_tables_and_names_seeds_and_backend():
    text = document(estimates_of(oracle=0.9, random=0.2), range(7, 57), "process")
    assert "seeds 7 to 56" in text and "the process backend" in text
    assert text.isascii() and text.endswith("are inconclusive.\n")
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in tables} == {len(Tier) + 2, len(FAULTY_TIERS) + 2}


def test_terminal_tables_have_every_row():
    played = estimates_of(oracle=0.9, random=0.2)
    assert score_table(played).row_count == len(list(score_rows(played)))
    assert check_table(played).row_count == len(list(check_rows(played)))


def checked_policies(tier):
    """And the runbook, which is compared on every tier."""
    subjects = [check.subject for check in CHECKS if check.subject.tier is tier]
    names = [name for s in subjects for name in (s.policy, s.less) if name is not None]
    return list(dict.fromkeys([*names, "runbook"]))


@pytest.fixture(scope="module")
def scores():
    """Of the policies that the checks of each tier are about."""
    split = SEED_SPLITS["train"]
    evaluator = VectorEvaluator(range(split.start, split.start + SEEDS), NUMPY, "process")
    with Progress(console=Console(quiet=True)) as progress:
        by_tier = [
            play_all(checked_policies(tier), [tier], evaluator, progress) for tier in FAULTY_TIERS
        ]
    return {key: sample for scores in by_tier for key, sample in scores.items()}


def test_no_check_fails_on_a_few_seeds_a_tier(scores):
    judged = verdicts(dict(estimates(scores)))
    assert len(judged) == len(CHECKS)
    assert [check for check, verdict in judged if verdict is Verdict.FAILS] == []


@pytest.mark.parametrize("tier", FAULTY_TIERS)
def test_knowing_beats_looking_beats_guessing(scores, tier):
    means = {name: scores[name, tier].mean() for name in ("oracle", "runbook", "heuristic")}
    assert means["oracle"] > means["runbook"] > means["heuristic"]
