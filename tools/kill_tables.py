"""The table of what `chaos-test` measured, from the summaries kept in docs/results/."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sre_autopilot.evaluation.chaos_test.outcomes import Summary
from tools.markdown import table

FOLDER = Path(__file__).parents[1] / "docs" / "results"
HEAD = "backend | killed | kills | residues | clean p50 | p99 | max | resets that worked | slowest"


def kills() -> str:
    """A row a kind of kill, of each file `chaos-test-*.json`."""
    files = sorted(FOLDER.glob("chaos-test-*.json"))
    documents = [json.loads(file.read_text(encoding="ascii")) for file in files]
    return table(HEAD, (row for document in documents for row in rows(document)))


def rows(document: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """The rows of one file, the one of all kinds last."""
    for summary in document["summaries"]:
        yield document["backend"], *Summary(**summary).row()
