"""`dev score-checks` plays, prints verdicts, writes the report, and fails where a check fails."""

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from sre_autopilot.cli.dev import score_checks
from sre_autopilot.errors import UnknownName
from sre_autopilot.evaluation.many_seeds import VectorEvaluator
from sre_autopilot.simulator.engines import NUMPY


@pytest.fixture
def run():
    app = typer.Typer()
    app.command()(score_checks.command)

    def invoke(*options):
        return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["--engine", NUMPY, *options])

    return invoke


def spread(mean):
    return lambda *_: np.linspace(mean - 0.02, mean + 0.02, 50)


def test_command_plays_prints_and_writes(run, tmp_path):
    out = tmp_path / "reports" / "bounds.md"
    result = run(
        *("--policies", "oracle,wait", "--tiers", "easy,control", "--seeds", "3"),
        *("--out", str(out)),
    )
    assert result.exit_code == 0, result.output
    assert "Of 2 checks 2 hold" in result.output
    assert "| oracle | 0.9" in out.read_text(encoding="ascii")


@pytest.mark.parametrize(
    ("mean", "result"), [(0.3, (1, "1 fail")), (0.85, (0, "1 are inconclusive"))]
)
def test_only_a_failed_check_fails_the_command(run, monkeypatch, mean, result):
    monkeypatch.setattr(VectorEvaluator, "scores", spread(mean))
    done = run("--policies", "oracle", "--tiers", "easy")
    status, summary = result
    assert done.exit_code == status, done.output
    assert summary in done.output


@pytest.mark.parametrize(
    "options", [("--policies", "x"), ("--tiers", "x"), ("--engine", "x"), ("--simulator-of", "x")]
)
def test_unknown_name_is_an_error_that_names_it(run, options):
    error = run(*options).exception
    assert isinstance(error, UnknownName)
    assert "'x'; valid values:" in str(error)
