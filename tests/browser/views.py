"""The console's views, each from a page that is ready: what the tests of all of them look at."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect

from sre_autopilot.world.vocabulary import Tier
from tests.browser.desk import at_step, begin, play_by_client, play_to_the_end, press

NUMBERS = "The same numbers as a table"


def idle(_page: Any) -> None:
    """As it is loaded."""


def charted(page: Any) -> None:
    begin(page, Tier.EASY, 7)
    press(page, "w")
    at_step(page, 1)
    page.locator("#services .spark").first.click()
    page.click(f"text={NUMBERS}")


def ended(page: Any) -> None:
    begin(page, Tier.EASY, 3)
    play_to_the_end(page)
    expect(page.locator("#debrief li")).to_have_count(2)
    for summary in page.locator("#debrief-done summary").all():
        summary.click()


def boarded(page: Any) -> None:
    ended(page)
    page.click("#board-open")
    expect(page.locator("#board tbody tr")).to_have_count(1)


def replayed(page: Any) -> None:
    play_by_client(page.url.removesuffix("/web"), 3)
    page.click("#records-open")
    page.click(f"#records-list button:has-text('{Tier.EASY} 3')")
    expect(page.locator("#replay-bar")).to_be_visible()


VIEWS: tuple[Callable[[Any], None], ...] = (idle, charted, ended, boarded, replayed)
