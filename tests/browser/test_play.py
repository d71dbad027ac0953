"""A shift at the console: acts, ends, and what stays of it on the server."""

import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ACTION_COSTS, ActionName, Tier
from tests.browser.desk import at_step, begin, play_to_the_end, press, sessions
from tests.browser.reviews import BEST, REASON
from tests.server.doors import until

pytestmark = pytest.mark.browser

GONE_S = 40.0
"""A tab that is closed leaves its session for 10 s more."""
LEASE_S, HALF_GONE = 10.0, re.compile(r"ends in [1-6] s ")


def test_keys_wait_and_act(page: Any) -> None:
    begin(page, Tier.EASY, 7)
    press(page, "w")
    at_step(page, 1)
    press(page, "2", "r")
    at_step(page, 2)
    first = page.locator("#history li").first
    expect(first).to_contain_text(f"{ActionName.RESTART} {list(Service)[1]}")
    expect(page.locator("#cost")).to_contain_text(f"{ACTION_COSTS[ActionName.RESTART]} of ")


def test_rollback_asks_first(page: Any) -> None:
    begin(page, Tier.EASY, 7)
    asked: list[str] = []

    def refuse(dialog: Any) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    page.once("dialog", refuse)
    press(page, "1", "b")
    at_step(page, 0)
    assert str(ACTION_COSTS[ActionName.ROLLBACK]) in asked[0]
    page.once("dialog", lambda dialog: dialog.accept())
    press(page, "1", "b")
    at_step(page, 1)


def test_a_refused_action_draws_no_line(page: Any) -> None:
    begin(page, Tier.EASY, 7)
    row = page.locator("#row-1 .acted").first
    for step in (1, 2):  # a second scale_up of one service is refused
        press(page, "1", "s")
        at_step(page, step)
        assert row.get_attribute("d").count("M") == 1
    expect(page.locator("#history li").first).to_contain_text("refused")


@pytest.mark.parametrize("tier", [Tier.CONTROL, Tier.EASY])
def test_the_end_says_what_the_record_says_and_frees_the_session(
    page: Any, url: str, tier: Tier
) -> None:
    begin(page, tier, 3)
    assert len(sessions(url)) == 1
    play_to_the_end(page)
    assert sessions(url) == []
    record_id = httpx.get(f"{url}/records").json()["records"][0]["record_id"]
    end = httpx.get(f"{url}/records/{record_id}").text.splitlines()[-1]
    outcome = page.locator("#outcome").inner_text()
    if tier is Tier.CONTROL:
        assert outcome == "✓ nothing was broken"
    else:
        cured = re.search(r'"cured_at": (\d+|null)', end)
        assert cured is not None
        assert ("not cured" if cured[1] == "null" else f"cured at step {cured[1]}") in outcome


def test_a_closed_tab_frees_its_session_and_a_reload_keeps_it(page: Any, url: str) -> None:
    begin(page, Tier.EASY, 7)
    press(page, "w")
    at_step(page, 1)
    page.reload()
    page.wait_for_selector("html[data-ready]")
    at_step(page, 1)
    press(page, "w")
    at_step(page, 2)
    page.goto("about:blank")
    until(lambda: not sessions(url), timeout_s=GONE_S)


def test_a_service_without_data_is_not_met(page: Any) -> None:
    begin(page, Tier.MEDIUM, 7)
    unknown = page.locator(".mark.unknown")
    for step in range(1, 16):
        if unknown.count():
            break
        press(page, "w")
        at_step(page, step)
    expect(unknown.first).to_have_text("? no data")


def test_the_debrief_says_what_would_have_been_better(page: Any, url: str) -> None:
    begin(page, Tier.EASY, 3)
    play_to_the_end(page)
    regrets = page.locator("#debrief li")
    expect(regrets).to_have_count(2)
    expect(regrets.first).to_contain_text(f"step 2: {BEST.action} {BEST.service_id} instead of")
    expect(regrets.first).to_contain_text("it was knowable")
    expect(regrets.last).to_contain_text("nobody could know it yet")
    expect(page.locator("#debrief-times")).to_contain_text("step 2 (1 s)")
    page.click("text=Points that were lost")
    expect(page.locator("#debrief-losses")).to_contain_text(REASON)
    page.click("text=Each action: regret")
    expect(page.locator("#debrief-steps tbody tr")).to_have_count(3)
    postmortem = page.locator("#debrief-page").get_attribute("href")
    assert httpx.get(f"{url}/{postmortem}").status_code == 200


class TestWithoutRecords:
    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return {}

    def test_the_session_is_free_when_the_debrief_is_there(self, page: Any, url: str) -> None:
        begin(page, Tier.EASY, 3)
        play_to_the_end(page)
        expect(page.locator("#debrief li")).to_have_count(2)
        expect(page.locator("#status")).to_contain_text("free for others")
        assert sessions(url) == []
        expect(page.locator("#debrief-page")).to_be_hidden()


class TestShortLease:
    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return {"session_lease_s": LEASE_S}

    def test_a_lease_is_counted_down_and_can_be_kept_alive(self, page: Any, url: str) -> None:
        begin(page, Tier.EASY, 7)
        for _ in range(3):  # longer, all together, than the lease and the server's look at it
            expect(page.locator("#lease-left")).to_have_text(HALF_GONE)
            page.click("#keep")
            expect(page.locator("#lease-left")).not_to_have_text(HALF_GONE)
        assert len(sessions(url)) == 1
        press(page, "w")
        at_step(page, 1)

    def test_a_lease_that_ended_is_said(self, page: Any, url: str, problems: list[str]) -> None:
        begin(page, Tier.EASY, 7)
        until(lambda: not sessions(url), timeout_s=GONE_S)
        press(page, "w")
        expect(page.locator("#detail")).to_contain_text("without a call")
        expect(page.locator("#status")).to_have_text("No session: begin another episode.")
        assert all("404" in problem for problem in problems)
        problems.clear()


def test_a_page_without_an_answer_stands_and_says_so(page: Any, problems: list[str]) -> None:
    page.route("**/tasks", lambda route: route.abort())
    page.reload()
    page.wait_for_selector("html[data-ready]")
    expect(page.locator("#detail")).to_contain_text("does not answer")
    expect(page.locator("#begin button")).to_be_disabled()
    problems.clear()
