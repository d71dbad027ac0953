"""Ledgers of simulated records are checked, and each kind of failure is said."""

import pytest

from orchestrator.environment import Environment
from sre_autopilot.evaluation import ledger_check
from sre_autopilot.evaluation.ledger_check import COLUMNS, CheckedLedger, check, failures, rows
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.world.vocabulary import Tier
from tests.sre_autopilot.cli.terminal import invoke

GOOD = [
    CheckedLedger("oracle", 0.0, 0.001, 0.01, 0.0),
    CheckedLedger("random", 1e-16, 0.6, 0.01, 0.1),
]


def test_ledgers_of_played_records_add_up(monkeypatch):
    monkeypatch.setattr(ledger_check, "Tier", (Tier.EXPERT,))
    with Environment(SimulatorBackend) as environment:
        ledgers = list(check(environment, ["oracle", "sweep_rollback"], [200_000], futures=2))
    assert len(ledgers) == 2
    assert max(each.gap for each in ledgers) < 1e-12
    assert ledgers[1].regret > ledgers[0].regret


def test_rows_have_a_cell_for_every_column():
    table = list(rows([*GOOD, GOOD[0]]))
    assert [row[:2] for row in table] == [("oracle", "2"), ("random", "1")]
    assert {len(row) for row in table} == {len(COLUMNS)}
    assert table[0][3] == "2 of 2" and table[1][3] == "0 of 1"


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({}, []),
        ({"gap": 1e-3}, ["a score differs from its sum by 1.0e-03"]),
        ({"regret": 0.1}, ["oracle regrets 0.1000 on average"]),
        ({"regret": 0.7, "error": 1.0}, ["random does not regret the most"]),
    ],
)
def test_each_failure_is_said(changes, problems):
    ledgers = [GOOD[0]._replace(**changes), GOOD[1]]
    assert list(failures(ledgers, "oracle", "random")) == problems


@pytest.mark.parametrize(("gap", "status"), [(0.0, 0), (0.5, 1)])
def test_command_ends_with_status_1_where_a_sum_is_wrong(monkeypatch, gap, status):
    ledgers = [GOOD[0]._replace(gap=gap), GOOD[1]]
    monkeypatch.setattr(ledger_check, "check", lambda *_: iter(ledgers))
    result = invoke("dev", "check-ledgers", "--records", 1)
    assert result.exit_code == status
    assert "largest gap" in result.stdout
    assert ("a score differs" in result.stderr) == bool(status)
