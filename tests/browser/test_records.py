"""Records at the console: of the server, of a file, two side by side, and their traces."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from sre_autopilot.world.topology import CALLS, ENTRY, USERS
from sre_autopilot.world.vocabulary import MAX_STEPS, Tier
from tests.browser.desk import play_by_client

pytestmark = pytest.mark.browser
TRACE_ID = "ab" * 16
LAST = f"step {MAX_STEPS} of {MAX_STEPS}"


@pytest.fixture
def record(url: str, settings: dict[str, Any]) -> Path:
    """Of an episode in which nothing was done."""
    folder: Path = settings["record_dir"]
    return folder / f"{play_by_client(url, 3)}.jsonl"


def open_file(page: Any, path: Path) -> None:
    page.click("#records-open")
    page.set_input_files("#file", path)
    expect(page.locator("#replay-bar")).to_be_visible()


def test_a_record_of_the_server_is_scrubbed_played_and_linked(page: Any, record: Path) -> None:
    page.click("#records-open")
    page.click(f"#records-list button:has-text('{Tier.EASY} 3')")
    expect(page.locator("#mode")).to_have_text("Record of agent")
    expect(page.locator("#step")).to_have_text(f"step 0 of {MAX_STEPS}")
    page.focus("#scrub")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#step")).to_have_text(f"step 1 of {MAX_STEPS}")
    page.keyboard.press("End")
    expect(page.locator("#step")).to_have_text(LAST)
    expect(page.locator("#score-title")).to_have_text("Score")
    expect(page.locator("#outcome")).to_contain_text("not cured")
    page.click("#debrief-ask")
    expect(page.locator("#debrief li")).to_have_count(2)
    page.select_option("#speed", "10")
    page.click("#replay-play")
    expect(page.locator("#replay-play")).to_have_text("Pause")
    expect(page.locator("#step")).to_have_text(LAST)
    expect(page.locator("#replay-play")).to_have_text("Play")
    link = page.locator("#share").get_attribute("href")
    assert link == f"#record={record.stem}&step={MAX_STEPS}"


def test_a_link_opens_a_record_at_its_step(page: Any, url: str, record: Path) -> None:
    page.goto(f"{url}/web#record={record.stem}&step=4")
    expect(page.locator("#step")).to_have_text(f"step 4 of {MAX_STEPS}")
    page.click("#back")
    expect(page.locator("#which")).to_have_text("No episode")


def test_a_record_is_downloaded_as_it_is(page: Any, record: Path) -> None:
    page.click("#records-open")
    with page.expect_download() as download:
        page.click("#records-list button:has-text('download')")
    assert download.value.suggested_filename == record.name
    assert Path(download.value.path()).read_bytes() == record.read_bytes()


def test_a_record_is_opened_from_a_file(page: Any, record: Path) -> None:
    open_file(page, record)
    page.focus("#scrub")
    page.keyboard.press("End")
    expect(page.locator("#step")).to_have_text(LAST)
    expect(page.locator("#debrief-panel")).to_be_hidden()
    expect(page.locator("#trace-none")).to_be_visible()


def test_a_file_that_is_dropped_on_the_page_is_opened(page: Any, record: Path) -> None:
    data = page.evaluate_handle(
        """text => {
            const data = new DataTransfer();
            data.items.add(new File([text], "mine.jsonl"));
            return data;
        }""",
        record.read_text(),
    )
    page.dispatch_event("body", "drop", {"dataTransfer": data})
    expect(page.locator("#mode")).to_have_text("Record of agent")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not json\n", "other.jsonl: line 1 is no JSON"),
        ('{"type": "step"}\n', "other.jsonl: the first line is no"),
    ],
)
def test_a_file_that_is_no_record_is_refused(
    page: Any, tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "other.jsonl"
    file.write_text(text)
    page.click("#records-open")
    page.set_input_files("#file", file)
    expect(page.locator("#detail")).to_contain_text(said)


def test_two_records_of_one_seed_lie_side_by_side(page: Any, url: str, record: Path) -> None:
    other = record.with_name(f"{play_by_client(url, 3, policy='second')}.jsonl")
    third = record.with_name(f"{play_by_client(url, 4)}.jsonl")
    one, two = (page.locator("#compare-dialog input[type=file]").nth(side) for side in (0, 1))
    page.click("#compare-open")
    one.set_input_files(record)
    two.set_input_files(other)
    expect(page.locator("#compare-note")).to_contain_text(f"Tier {Tier.EASY}, seed 3")
    expect(page.locator("#compare-table tbody tr")).to_have_count(MAX_STEPS + 1)
    two.set_input_files(third)
    expect(page.locator("#compare-note")).to_contain_text("two different incidents")
    expect(page.locator("#compare-table tr")).to_have_count(0)


def test_a_record_that_was_cut_in_its_last_line_is_shown(
    page: Any, record: Path, tmp_path: Path
) -> None:
    lines = record.read_text().splitlines()
    cut = tmp_path / "cut.jsonl"
    cut.write_text("\n".join([*lines[:5], lines[5][:30]]))
    page.click("#records-open")
    page.set_input_files("#file", cut)
    expect(page.locator("#mode")).to_have_text("Record of agent")
    expect(page.locator("#scrub")).to_have_attribute("max", "3")


def with_a_trace(record: Path, path: Path) -> Path:
    """`record` with a trace of three calls at its second step, as live backends write them."""
    gateway, callee = ENTRY, CALLS[ENTRY][0]
    calls = [
        {"caller": USERS, "callee": gateway, "start_ms": 0.0, "latency_ms": 90.0, "failed": True},
        {"caller": gateway, "callee": callee, "start_ms": 9.5, "latency_ms": 60.0, "failed": True},
    ]
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    for edge in lines[2]["edges"]:
        if edge["caller"] == gateway and edge["callee"] == callee:
            edge["trace_id"] = TRACE_ID
    lines[2]["traces"] = {TRACE_ID: calls}
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_the_worst_call_of_an_edge_is_drawn_as_a_waterfall(
    page: Any, record: Path, tmp_path: Path
) -> None:
    open_file(page, with_a_trace(record, tmp_path / "live.jsonl"))
    expect(page.locator("#trace-none")).to_be_visible()
    page.focus("#scrub")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#waterfall rect")).to_have_count(2)
    expect(page.locator("#waterfall .worst")).to_have_count(1)
    expect(page.locator("#trace-id")).to_contain_text(f"Trace {TRACE_ID}, 90 ms")
    spoken = page.locator("#waterfall").get_attribute("aria-label")
    assert "from 9.5 ms for 60.0 ms, failed" in spoken
