"""Bounds are judged by intervals, told in tables, and a broken one fails the command."""

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from sre_autopilot.evaluation.intervals import Estimate
from sre_autopilot.evaluation.many_seeds import Seeds
from sre_autopilot.evaluation.score_checks import command as bounds
from sre_autopilot.evaluation.score_checks.checks import (
    BOUNDS,
    HOME_TIERS,
    Bound,
    Subject,
    Verdict,
    bound_rows,
    estimates,
    judged,
    report,
    score_rows,
    summary,
)
from sre_autopilot.policies import POLICY_NAMES
from sre_autopilot.policies.scripts import TIER_SCRIPTS
from sre_autopilot.simulator.engines import NUMPY
from sre_autopilot.world.vocabulary import FAULTY_TIERS, Tier

ANYBODY = Subject("anybody", Tier.EASY)


def spread(mean, width=0.02, count=50):
    """Scores around a mean."""
    return np.linspace(mean - width, mean + width, count)


def found(**means):
    """Estimates of policies with such means on every tier."""
    scores = {(name, tier): spread(mean) for name, mean in means.items() for tier in Tier}
    return dict(estimates(scores))


@pytest.mark.parametrize(
    ("sense", "low", "high", "verdict"),
    [
        (">=", 0.85, 0.90, Verdict.HOLDS),
        (">=", 0.80, 0.90, Verdict.OPEN),
        (">=", 0.80, 0.84, Verdict.FAILS),
        ("<", 0.80, 0.84, Verdict.HOLDS),
        ("<", 0.80, 0.85, Verdict.OPEN),
        ("<", 0.85, 0.90, Verdict.FAILS),
        (">", 0.85, 0.85, Verdict.FAILS),
    ],
)
def test_a_verdict_is_what_both_ends_say(sense, low, high, verdict):
    assert Bound(ANYBODY, sense, 0.85).verdict(Estimate(0.85, low, high)) is verdict


def test_the_bounds_are_those_of_the_world():
    claims: dict[str, list[Tier]] = {}
    for bound in BOUNDS:
        claims.setdefault(bound.claim, []).append(bound.subject.tier)
    assert claims.pop("oracle >= 0.85") == list(FAULTY_TIERS)
    assert claims.pop("oracle - runbook >= 0.1") == [Tier.MEDIUM, Tier.HARD, Tier.EXPERT]
    assert claims.pop("heuristic - random > 0") == list(FAULTY_TIERS)
    by_heart = [f"{script.name} < 0.7" for script in TIER_SCRIPTS]
    assert [claims.pop(claim) for claim in by_heart] == [[tier] for tier in HOME_TIERS]
    blind = {name for name in POLICY_NAMES if name == "wait" or name.startswith("sweep")}
    assert claims == {f"{name} < 0.6": list(FAULTY_TIERS) for name in blind}


def test_every_bound_is_of_policies_that_are_shipped():
    for bound in BOUNDS:
        assert {bound.subject.policy, bound.subject.less or "oracle"} <= {*POLICY_NAMES}


def test_differences_are_of_the_same_seeds():
    base = np.array([0.1, 0.9] * 20)
    scores = {("heuristic", Tier.EASY): base + 0.05, ("random", Tier.EASY): base}
    difference = dict(estimates(scores))[Subject("heuristic", Tier.EASY, "random")]
    assert difference.low == pytest.approx(0.05) == difference.high


def test_what_was_not_played_is_not_judged():
    told = judged(found(oracle=0.9))
    assert {bound.subject.policy for bound, _verdict in told} == {"oracle"}
    assert all(bound.subject.less is None for bound, _verdict in told)


def test_each_verdict_is_counted():
    means = {"oracle": 0.9, "wait": 0.7, "sweep_restart": 0.6}
    assert summary(found(**means)) == "Of 12 bounds 4 hold, 4 fail, and 4 cannot be told."


def test_rows_have_a_cell_for_every_tier_played():
    told = found(oracle=0.9, runbook=0.85)
    assert [row[0] for row in score_rows(told)] == ["oracle", "runbook"]
    assert {len(row) for row in score_rows(told)} == {1 + len(Tier)}
    rows = {row[0]: row[1:] for row in bound_rows(told)}
    assert {len(row) for row in rows.values()} == {len(FAULTY_TIERS)}
    room = rows["oracle - runbook >= 0.1"]
    assert room[0] == "-" and all(cell.endswith("fails") for cell in room[1:])


def test_the_report_has_whole_tables_and_says_what_was_played():
    text = report(found(oracle=0.9, random=0.2), range(7, 57), "process")
    assert "seeds 7 to 56" in text and "the process backend" in text
    assert text.isascii() and text.endswith("cannot be told.\n")
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in tables} == {len(Tier) + 2, len(FAULTY_TIERS) + 2}


@pytest.fixture
def run():
    app = typer.Typer()
    app.command()(bounds.main)

    def invoke(*options):
        return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["--engine", NUMPY, *options])

    return invoke


def test_the_command_plays_judges_and_writes(run, tmp_path):
    out = tmp_path / "told" / "bounds.md"
    done = run(
        *("--policies", "oracle,wait", "--tiers", "easy,control", "--seeds", "3"),
        *("--out", str(out)),
    )
    assert done.exit_code == 0, done.output
    assert "Of 2 bounds 2 hold" in done.output
    assert "| oracle | 0.9" in out.read_text(encoding="ascii")


def test_a_bound_that_fails_fails_the_command(run, monkeypatch):
    monkeypatch.setattr(Seeds, "play", lambda *_: spread(0.3))
    done = run("--policies", "oracle", "--tiers", "easy")
    assert done.exit_code == 1
    assert "1 fail" in done.output


def test_what_cannot_be_told_does_not_fail(run, monkeypatch):
    monkeypatch.setattr(Seeds, "play", lambda *_: spread(0.85))
    done = run("--policies", "oracle", "--tiers", "easy")
    assert done.exit_code == 0, done.output
    assert "1 cannot be told" in done.output


@pytest.mark.parametrize(
    "options", [("--policies", "x"), ("--tiers", "x"), ("--engine", "x"), ("--simulator-of", "x")]
)
def test_what_is_not_known_is_named(run, options):
    done = run(*options)
    assert done.exit_code == 2
    assert "'x'" in done.output or " x" in done.output
