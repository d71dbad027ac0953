"""The generator writes between its marks only, knows every mark, and what it wrote is fresh."""

import re

import pytest

from sre_autopilot.world.topology import CALLS, DATABASES, ENTRY, Service, callers_of
from sre_autopilot.world.vocabulary import (
    ACTION_COSTS,
    BREAKER_STEPS,
    SCALE_UP_STEPS,
    ActionName,
    FaultKind,
    Tier,
)
from tools import documents, excerpts, facts, markdown, world_tables

FAULT_COLUMNS = ["symptom", "seen in", "cured by", "made worse by"]
TEXTS = {str(p.relative_to(documents.ROOT)): p.read_text() for p in documents.DOCUMENTS}
ALL_TEXT = "".join(TEXTS.values())


def block(name: str, text: str = "") -> str:
    return f"<!-- generated:{name} -->\n{text}<!-- /generated -->"


def number(name: str, text: str = "") -> str:
    return f"<!-- n:{name} -->{text}<!-- /n -->"


@pytest.mark.parametrize("name", TEXTS)
def test_a_document_is_fresh(name) -> None:
    assert documents.rewritten(TEXTS[name]) == TEXTS[name], "run `make generate`"


def test_prose_is_left_alone_and_writing_twice_changes_nothing() -> None:
    text = f"before\n{block('score', 'stale')}\nbetween\n{block('tiers')}\nafter\n"
    once = documents.rewritten(text)
    assert once.startswith("before\n<!--") and once.endswith("-->\nafter\n")
    assert "-->\nbetween\n<!--" in once and "stale" not in once
    assert documents.rewritten(once) == once


def test_numbers_in_a_sentence_are_renewed() -> None:
    text = (
        f"An episode has {number('MAX_STEPS', '29')} steps and {number('MAX_RESTARTS')} restarts."
    )
    assert documents.rewritten(text) == text.replace(">29<", ">30<").replace("><", ">5<")


@pytest.mark.parametrize("mark", [block("recipes"), number("MAX_RECIPES")])
def test_an_unknown_mark_is_an_error(mark) -> None:
    with pytest.raises(KeyError, match=r"(?i)recipes"):
        documents.rewritten(mark)


def test_every_block_stands_somewhere_and_every_mark_is_closed() -> None:
    assert set(re.findall(r"<!-- generated:(\w+) -->", ALL_TEXT)) == documents.BLOCKS.keys()
    assert ALL_TEXT.count("<!-- generated:") == ALL_TEXT.count("<!-- /generated -->")


def test_every_number_is_used() -> None:
    assert {name for _, name, _ in documents.NUMBER.findall(ALL_TEXT)} == facts.VALUES.keys()


def test_every_number_mark_is_closed() -> None:
    assert ALL_TEXT.count("<!-- n:") == len(documents.NUMBER.findall(ALL_TEXT))


@pytest.mark.parametrize("name", documents.BLOCKS)
def test_a_table_has_a_cell_for_every_column(name) -> None:
    rows = [line for line in documents.BLOCKS[name]().splitlines() if line.startswith("| ")]
    assert len({row.count(" | ") for row in rows if "---" not in row}) <= 1
    assert all(cell.strip() for row in rows for cell in row.split("|")[1:3])


def test_services_and_the_graph_list_the_same_calls() -> None:
    table, graph = world_tables.services(), world_tables.graph()
    for service in Service:
        (row,) = [line for line in table.splitlines() if line.startswith(f"| `{service}`")]
        for callee in CALLS[service]:
            assert f"`{callee}`" in row
            assert re.search(rf"(?m)^    {service} --> .*\b{callee}\b", graph)
    assert graph.count("-->") + graph.count(" & ") == 1 + sum(map(len, CALLS.values()))


def test_actions_have_costs_and_times() -> None:
    rows = {row.split("`")[1]: row for row in world_tables.actions().splitlines()[2:]}
    assert rows.keys() == {*ActionName}
    for name, cost in ACTION_COSTS.items():
        assert f"| {cost} |" in rows[name]
    assert f"serves {SCALE_UP_STEPS} steps later" in rows[ActionName.SCALE_UP]
    assert f"for {BREAKER_STEPS} steps" in rows[ActionName.CIRCUIT_BREAK]


def test_refusals_list_every_reason_of_every_action() -> None:
    actions = [row.split("`")[1] for row in world_tables.refusals().splitlines()[2:]]
    assert actions.count(ActionName.ROLLBACK) == 2
    assert {*actions} == {*ActionName} - {ActionName.WAIT}
    assert "restarts of this episode are used" in world_tables.refusals()


def test_tiers_name_symptoms_and_no_cures() -> None:
    table = world_tables.tiers()
    assert all(f"| `{tier}` |" in table for tier in Tier)
    assert not [name for name in ActionName if f"`{name}`" in table]


def test_every_fault_has_a_row_of_the_same_columns() -> None:
    head, _, *rows = world_tables.faults().splitlines()
    assert head == f"| fault | {' | '.join(FAULT_COLUMNS)} |"
    assert [row.split("`")[1] for row in rows] == list(FaultKind)
    assert all(row.count(" | ") == len(FAULT_COLUMNS) for row in rows)


@pytest.mark.parametrize(
    ("value", "text"), [(0.25, "0.25"), (200.0, "200"), ((6.0, 9.0), "6 to 9"), ((1, 1), "1")]
)
def test_numbers_are_spelt_shortly(value, text) -> None:
    assert markdown.spelt(value) == text


def test_shares_are_spelt_without_the_rounding_of_floats() -> None:
    assert facts.fact("SPAN_LOSS_PCT") == "10" and facts.fact("CALL_TIMEOUT_MS") == "250"


def test_the_table_of_numbers_says_what_each_means_and_where_it_stands() -> None:
    rows = world_tables.numbers().splitlines()
    (row,) = [row for row in rows if row.startswith("| `FORGIVEN_FAILURES`")]
    assert "| 1 | Low-traffic guard" in row and "`sre_autopilot/world/sla.py`" in row
    assert len(rows) > 40


def test_the_excerpts_are_of_one_episode() -> None:
    record = excerpts.example()
    assert f"{record.tier}, seed {record.seed}" in excerpts.summary()
    assert f"{record.tier} seed={record.seed}" in excerpts.explained()
    assert record.finished and record.policy == "runbook"
    assert all(service in excerpts.screen() for service in Service)


def test_the_records_page_describes_the_example() -> None:
    """The first restart, of the database, helped for a while; its caller held the connections."""
    record = excerpts.example()
    (wrong, first), (cure, second) = record.interventions
    assert first.action is second.action is ActionName.RESTART
    assert first.service_id in DATABASES and not first.cures
    assert second.service_id in callers_of(first.service_id) and second.cures
    between = record.steps[wrong + 1 : cure]
    assert all(step.true[ENTRY].sla_met for step in between[:3])
    latencies = [step.true[first.service_id].latency_p99 or 0.0 for step in between]
    assert latencies[-1] > 2 * min(latencies)
    assert "Restarting the database looked like a cure for a while" in TEXTS["docs/records.md"]
