"""What a person does at the console."""

from typing import Any

from playwright.sync_api import expect

from sre_autopilot.world.vocabulary import MAX_STEPS, Tier


def begin(page: Any, tier: Tier, seed: int) -> None:
    page.select_option("#tier", tier)
    page.fill("#seed", str(seed))
    page.click("#begin button")
    at_step(page, 0)


def at_step(page: Any, step: int) -> None:
    """Waits until this step is shown and the next action may be taken, or the episode is over."""
    expect(page.locator("#step")).to_have_text(f"step {step} of {MAX_STEPS}")
    expect(page.locator("#busy")).not_to_have_class("on")


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def play_to_the_end(page: Any) -> None:
    """Waits, by itself, until the score is there."""
    page.check("#auto")
    expect(page.locator("#score-title")).to_have_text("Score")
    expect(page.locator("#busy")).not_to_have_class("on")
