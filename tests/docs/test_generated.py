"""The generator: writes between its marks, knows every block, and what it wrote is fresh."""

import re

import pytest

from sre_autopilot.world.topology import CALLS, DATABASES, ENTRY, Service, callers_of
from sre_autopilot.world.vocabulary import ACTION_COSTS, ActionName, FaultKind, Tier
from tests.docs.documents import document
from tools import documents as readme


def between(name: str, text: str = "") -> str:
    return f"<!-- generated:{name} -->\n{text}<!-- /generated -->"


@pytest.mark.parametrize("path", readme.DOCUMENTS, ids=lambda path: path.name)
def test_a_document_is_fresh(path) -> None:
    text = path.read_text()
    assert readme.rewritten(text) == text, "run `make generate`"


def test_prose_is_left_alone_and_twice_is_once() -> None:
    text = f"before\n{between('score', 'stale')}\nbetween\n{between('tiers')}\nafter\n"
    once = readme.rewritten(text)
    assert once.startswith("before\n<!--") and once.endswith("-->\nafter\n")
    assert "-->\nbetween\n<!--" in once and "stale" not in once
    assert readme.rewritten(once) == once


def test_a_block_that_nobody_writes_is_an_error() -> None:
    with pytest.raises(KeyError, match="recipes"):
        readme.rewritten(between("recipes"))


def test_every_block_stands_somewhere_and_every_mark_is_closed() -> None:
    text = "".join(path.read_text() for path in readme.DOCUMENTS)
    assert set(re.findall(r"<!-- generated:(\w+) -->", text)) == readme.BLOCKS.keys()
    assert text.count("<!-- generated:") == text.count("<!-- /generated -->")


@pytest.mark.parametrize("name", readme.BLOCKS)
def test_a_table_has_a_cell_for_every_column(name) -> None:
    rows = [line for line in readme.BLOCKS[name]().splitlines() if line.startswith("| ")]
    assert len({row.count(" | ") for row in rows if "---" not in row}) <= 1
    assert all(cell.strip() for row in rows for cell in row.split("|")[1:3])


def test_services_and_the_graph_tell_who_calls_whom() -> None:
    table, graph = readme.services(), readme.graph()
    for service in Service:
        (row,) = [line for line in table.splitlines() if line.startswith(f"| `{service}`")]
        for callee in CALLS[service]:
            assert f"`{callee}`" in row
            assert f"{service} --> {callee}\n" in graph
    assert graph.count("-->") == 1 + sum(map(len, CALLS.values()))


def test_actions_tell_costs_times_and_refusals() -> None:
    rows = {row.split("`")[1]: row for row in readme.actions().splitlines()[2:]}
    assert rows.keys() == {*ActionName}
    for name, cost in ACTION_COSTS.items():
        assert f"| {cost} |" in rows[name]
    assert "serves 3 steps later" in rows[ActionName.SCALE_UP]
    assert "for 3 steps" in rows[ActionName.CIRCUIT_BREAK]
    assert "restarts of this episode are used" in rows[ActionName.RESTART]
    assert rows[ActionName.ROLLBACK].count('"') == 4
    assert '"' not in rows[ActionName.WAIT]


def test_tiers_tell_symptoms_and_no_cures() -> None:
    table = readme.tiers()
    assert all(f"| `{tier}` |" in table for tier in Tier)
    assert not [name for name in ActionName if f"`{name}`" in table]


@pytest.mark.parametrize("kind", FaultKind)
def test_a_fault_tells_the_same_four_things(kind) -> None:
    assert [*readme.fault_table(kind)] == ["symptom", "seen in", "cured by", "made worse by"]


@pytest.mark.parametrize(
    ("value", "spelt"), [(0.25, "0.25"), (200.0, "200"), ((6.0, 9.0), "6 to 9"), ((1, 1), "1")]
)
def test_numbers_are_spelt_shortly(value, spelt) -> None:
    assert readme._spelt(value) == spelt


def test_the_table_of_numbers_has_them_with_what_is_said_of_them() -> None:
    rows = readme.numbers().splitlines()
    (row,) = [row for row in rows if row.startswith("| `FORGIVEN_FAILURES`")]
    assert "| 1 | Low-traffic guard" in row and "`sre_autopilot/world/sla.py`" in row
    assert len(rows) > 40


def test_the_excerpts_are_of_one_episode() -> None:
    record = readme._example()
    assert f"{record.tier}, seed {record.seed}" in readme.story()
    assert f"{record.tier} seed={record.seed}" in readme.explained()
    assert record.finished and record.policy == "runbook"
    assert all(service in readme.screen() for service in Service)


def test_what_is_said_of_the_example_is_true() -> None:
    record = readme._example()
    (wrong, first), (cure, second) = record.interventions
    assert first.action is second.action is ActionName.RESTART
    assert first.service_id in DATABASES and not first.cures
    assert second.service_id in callers_of(first.service_id) and second.cures
    between = [step.true[ENTRY].sla_met for step in record.steps[wrong + 1 : cure]]
    assert between[:3] == [True] * 3
    database = [s.true[first.service_id].latency_p99 or 0.0 for s in record.steps[wrong + 1 : cure]]
    assert database[-1] > 2 * min(database)
    assert "the database looked like a cure for a\nwhile" in document("README.md").text
