"""The table of kills has what the kept summaries say."""

import json
from pathlib import Path

import pytest

from sre_autopilot.evaluation.chaos_test.outcomes import as_json
from tests.sre_autopilot.evaluation.chaos_test.fakes import outcome
from tools import kill_tables


def test_each_kept_summary_has_its_rows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(kill_tables, "FOLDER", tmp_path)
    document = as_json([outcome(), outcome(reset_s=None)], backend="process")
    (tmp_path / "chaos-test-process.json").write_text(json.dumps(document))
    (tmp_path / "process.jsonl").write_text("of something else")
    head, rule, *rows = kill_tables.kills().splitlines()
    assert head == f"| {kill_tables.HEAD} |"
    assert rule.count("---") == kill_tables.HEAD.count("|") + 1
    assert rows == [
        "| process | part | 2 | 0 | 0.50 s | 0.50 s | 0.50 s | 1 of 2 | 1.00 s |",
        "| process | all | 2 | 0 | 0.50 s | 0.50 s | 0.50 s | 1 of 2 | 1.00 s |",
    ]


def test_without_a_kept_summary_the_table_is_empty(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(kill_tables, "FOLDER", tmp_path)
    assert len(kill_tables.kills().splitlines()) == 2
