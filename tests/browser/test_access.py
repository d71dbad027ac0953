"""Who cannot see well, has a narrow window or no pointer: axe-core, widths, the keyboard."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import Tier
from tests.browser.desk import at_step, begin, play_to_the_end, press
from tests.browser.tabs import console
from tests.browser.views import VIEWS, charted, ended, replayed

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="extra console-test")
pytestmark = pytest.mark.browser
SERIOUS = {"serious", "critical"}
PHONE = {"width": 390, "height": 844}
WIDTHS = (320, 390, 1400)
DIALOGS = ("help", "records", "compare", "watch", "game")


def serious(page: Any) -> list[str]:
    """What axe-core finds serious: the rule, and where."""
    violations = axe.Axe().run(page).response["violations"]
    return [
        f"{violation['id']} at {node['target']}"
        for violation in violations
        if violation["impact"] in SERIOUS
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_serious(page: Any, view: Callable[[Any], None]) -> None:
    page.emulate_media(reduced_motion="reduce")
    view(page)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert serious(page) == [], scheme


def test_axe_finds_nothing_serious_in_a_dialog(page: Any) -> None:
    for name in DIALOGS:
        page.click(f"#{name}-open")
        expect(page.locator(f"#{name}-dialog")).to_be_visible()
        assert serious(page) == [], name
        page.keyboard.press("Escape")
        expect(page.locator(f"#{name}-dialog")).to_be_hidden()


@pytest.mark.parametrize("view", [charted, ended, replayed])
def test_every_width_holds_the_page(page: Any, view: Callable[[Any], None]) -> None:
    view(page)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width


def test_the_score_and_the_pass_are_in_sight_on_a_phone(
    browser: Any, url: str, problems: list[str], reviewed: None
) -> None:
    with console(browser, url, problems, viewport=PHONE, has_touch=True) as page:
        begin(page, Tier.EASY, 3)
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        expect(page.locator("#pass")).to_be_in_viewport()
        expect(page.locator("#status")).to_be_in_viewport()
        page.evaluate("scrollTo(0, 0)")
        play_to_the_end(page)
        top = page.locator("#score").bounding_box()["y"]
        assert top < PHONE["height"], "it is below the fold"
    assert problems == []


def test_a_shift_needs_no_pointer(page: Any) -> None:
    page.focus("#tier")
    page.keyboard.press("Tab")
    page.keyboard.type("7")
    page.keyboard.press("Enter")
    at_step(page, 0)
    press(page, "?")
    expect(page.locator("#help-dialog")).to_be_visible()
    press(page, "Escape")
    for step, keys in enumerate(("w", "1r", "3s"), start=1):
        press(page, *keys)
        at_step(page, step)
    expect(page.locator("#history li").first).to_contain_text(list(Service)[2])
