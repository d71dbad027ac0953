"""What a person does at the console, and what a client of the same server does beside it."""

from typing import Any

import httpx
from playwright.sync_api import expect

from sre_autopilot.world.vocabulary import MAX_STEPS, ActionName, Tier

WAIT = {"action": ActionName.WAIT}


def begin(page: Any, tier: Tier, seed: int) -> None:
    page.select_option("#tier", tier)
    page.fill("#seed", str(seed))
    page.click("#begin button")
    at_step(page, 0)


def at_step(page: Any, step: int) -> None:
    """Waits until this step is shown and the next action may be taken, or the episode is over."""
    expect(page.locator("#step")).to_have_text(f"step {step} of {MAX_STEPS}")
    at_rest(page)


def at_rest(page: Any) -> None:
    """Waits until no call of the session is under way."""
    expect(page.locator("html:not([data-busy])")).to_have_count(1)


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def play_to_the_end(page: Any) -> None:
    """Waits, by itself, until the score is there."""
    page.check("#auto")
    expect(page.locator("#score-title")).to_have_text("Score")
    at_rest(page)


def sessions(url: str) -> list[str]:
    listed = httpx.get(f"{url}/sessions").json()["sessions"]
    return [session["session_id"] for session in listed]


def play_by_client(url: str, seed: int, *, tier: Tier = Tier.EASY, policy: str = "agent") -> str:
    """A whole episode of a client that waits; the id of its record."""
    name = f"{policy}-{seed}"
    body = {"session_id": name, "episode_id": name, "policy": policy}
    with httpx.Client(base_url=url, timeout=60.0) as client:
        client.post("/reset", json={**body, "task_tier": tier, "seed": seed}).raise_for_status()
        while not client.post("/step", json={**WAIT, "session_id": name}).json()["done"]:
            pass
        client.delete(f"/sessions/{name}").raise_for_status()
    return name
