"""A shift at the console: acts, ends, and what stays of it on the server."""

import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ACTION_COSTS, ActionName, Tier
from tests.browser.desk import at_step, begin, play_to_the_end, press
from tests.server.doors import until

pytestmark = pytest.mark.browser

GONE_S = 40.0
"""A tab that is closed leaves its session for 10 s more."""


def sessions(url: str) -> list[str]:
    listed = httpx.get(f"{url}/sessions").json()["sessions"]
    return [session["session_id"] for session in listed]


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
