"""Watching at the console: a session of somebody else, and a policy that plays here."""

import re
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from playwright.sync_api import expect

from sre_autopilot.simulator import NAME as SIMULATOR
from sre_autopilot.world.vocabulary import MAX_STEPS, Tier
from tests.browser.desk import WAIT, at_rest, at_step, begin, sessions
from tests.browser.tabs import console
from tests.server.doors import Workshop, make_app, until
from tests.watched_simulator import WatchedSimulator

pytestmark = pytest.mark.browser
WATCHED = "of-an-agent"
TOKEN = "open-sesame"


def reset(client: httpx.Client, name: str = WATCHED) -> str:
    body = {"session_id": name, "task_tier": Tier.EASY, "seed": 3, "policy": "agent"}
    answer = client.post("/reset", json=body).raise_for_status()
    return str(answer.json()["session_id"])


def test_a_session_is_watched_live_and_read_only(page: Any, url: str) -> None:
    with httpx.Client(base_url=url, timeout=60.0) as client:
        reset(client)
        page.click("#watch-open")
        page.click(f"#watch-list button:has-text('{WATCHED}')")
        expect(page.locator("#mode")).to_have_text("Read-only; agent plays")
        expect(page.locator("#step")).to_have_text(f"step 0 of {MAX_STEPS}")
        expect(page.locator("#pass")).to_be_disabled()
        for step in (1, 2):
            client.post("/step", json={**WAIT, "session_id": WATCHED})
            expect(page.locator("#step")).to_have_text(f"step {step} of {MAX_STEPS}")
        client.delete(f"/sessions/{WATCHED}")
    expect(page.locator("#status")).to_contain_text("The session is over")
    page.click("#back")
    expect(page.locator("#which")).to_have_text("No episode")


def test_a_tab_watches_what_another_one_plays(page: Any, url: str, browser: Any) -> None:
    problems: list[str] = []
    begin(page, Tier.EASY, 3)
    (name,) = sessions(url)
    with console(browser, url, problems) as viewer:
        viewer.click("#watch-open")
        viewer.fill("#watch-session", name)
        viewer.keyboard.press("Enter")
        expect(viewer.locator("#mode")).to_have_text("Read-only; person plays")
        page.keyboard.press("w")
        at_step(page, 1)
        expect(viewer.locator("#step")).to_have_text(f"step 1 of {MAX_STEPS}")
    assert problems == []


def let_play(page: Any, policy: str, speed: str = "10") -> None:
    page.click("#watch-open")
    page.select_option("#policy-name", policy)
    page.select_option("#policy-tier", Tier.EASY)
    page.fill("#policy-seed", "3")
    page.select_option("#policy-speed", speed)
    page.click("#policy-form button")


def test_a_policy_plays_before_ones_eyes(page: Any, url: str) -> None:
    let_play(page, "oracle")
    expect(page.locator("#mode")).to_have_text("oracle plays")
    expect(page.locator("#score-title")).to_have_text("Score")
    expect(page.locator("#score")).to_have_text(re.compile(r"^0\.[89]"))
    expect(page.locator("#outcome")).to_contain_text("cured at step")
    (record,) = httpx.get(f"{url}/records").json()["records"]
    assert (record["policy"], record["tier"], record["seed"]) == ("oracle", Tier.EASY, 3)
    until(lambda: not sessions(url))


def test_a_policy_is_halted_and_goes_on(page: Any) -> None:
    let_play(page, "random", speed="2")
    page.click("#policy-halt")
    expect(page.locator("#policy-halt")).to_have_text("Go on")
    at_rest(page)
    halted = page.locator("#step").inner_text()
    expect(page.locator("#pass")).to_be_disabled()
    page.keyboard.press("w")
    assert page.locator("#step").inner_text() == halted
    page.click("#policy-halt")
    expect(page.locator("#step")).not_to_have_text(halted)


class TestJudged:
    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return {"state_token": TOKEN}

    def test_watching_asks_for_the_token(self, page: Any, url: str, problems: list[str]) -> None:
        with httpx.Client(base_url=url, timeout=60.0) as client:
            name = reset(client)
        page.click("#watch-open")
        expect(page.locator("#watch-list")).to_contain_text("token")
        page.fill("#watch-token", TOKEN)
        page.keyboard.press("Tab")
        page.click(f"#watch-list button:has-text('{name}')")
        expect(page.locator("#step")).to_have_text(f"step 0 of {MAX_STEPS}")
        assert all("401" in problem for problem in problems)
        problems.clear()


class TestRealDebrief:
    @pytest.fixture
    def app(self, settings: dict[str, Any]) -> FastAPI:
        """A debrief asks by the backend's name which simulator it was."""

        class Simulator(WatchedSimulator):
            name = SIMULATOR

        return make_app(Workshop(Simulator), **settings)

    def test_the_server_replays_what_was_played(
        self, browser: Any, url: str, problems: list[str]
    ) -> None:
        with console(browser, url, problems) as page:
            let_play(page, "oracle")
            expect(page.locator("#debrief-note")).to_contain_text("of regrets")
            expect(page.locator("#debrief li").first).to_be_visible()
        assert problems == []
