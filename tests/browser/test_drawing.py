"""What the console draws, and when: what changed alone, at a pace, nothing in the background."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from sre_autopilot.world.vocabulary import MAX_STEPS, Tier
from tests.browser.desk import WAIT, at_step, begin, press
from tests.browser.views import charted, ended, replayed

pytestmark = pytest.mark.browser
WATCHED = "of-an-agent"
STEPS = 12
PACE_S = 1.0
"""As the page has it."""

VIEW = "const view = await import(new URL('web/assets/view.js', location.href));"
DRAWN = "await new Promise(requestAnimationFrame); await new Promise(requestAnimationFrame);"
WRITES = f"""async () => {{
    {VIEW}
    view.redraw();
    {DRAWN}
    const writes = [];
    const name = ({{ target }}) => target.id || target.parentElement?.id || target.nodeName;
    const note = (record) => writes.push(`${{record.type}} of ${{name(record)}}`);
    const observer = new MutationObserver((records) => records.forEach(note));
    const all = {{ subtree: true, childList: true, attributes: true, characterData: true }};
    observer.observe(document, all);
    view.redraw();
    {DRAWN}
    observer.disconnect();
    return writes.filter((write) => write !== "characterData of clock");
}}"""
"""What a redraw writes where nothing has changed; the clock goes on by itself."""


def watch(page: Any, client: httpx.Client) -> None:
    body = {"session_id": WATCHED, "task_tier": Tier.EASY, "seed": 3}
    client.post("/reset", json=body).raise_for_status()
    page.click("#watch-open")
    page.fill("#watch-session", WATCHED)
    page.keyboard.press("Enter")
    expect(page.locator("#step")).to_have_text(f"step 0 of {MAX_STEPS}")


def step(client: httpx.Client) -> None:
    client.post("/step", json={**WAIT, "session_id": WATCHED}).raise_for_status()


@pytest.fixture
def client(url: str) -> Any:
    with httpx.Client(base_url=url, timeout=60.0) as client:
        yield client


@pytest.mark.parametrize("view", [charted, ended, replayed])
def test_a_redraw_of_what_is_drawn_writes_nothing(page: Any, view: Callable[[Any], None]) -> None:
    view(page)
    assert page.evaluate(WRITES) == []


def test_a_step_keeps_the_elements_that_are_there(page: Any) -> None:
    begin(page, Tier.EASY, 7)
    press(page, "w")
    at_step(page, 1)
    parts = "#services *, #graph *, #terms *, #history li"
    marked = "parts => document.querySelectorAll(parts).forEach((each) => { each.isOld = true; })"
    page.evaluate(marked, parts)
    press(page, "w")
    at_step(page, 2)
    new = "parts => [...document.querySelectorAll(parts)].filter((each) => !each.isOld).length"
    assert page.evaluate(new, parts) == 1, "but the entry of the new action"


def test_steps_in_quick_succession_are_drawn_together(page: Any, client: httpx.Client) -> None:
    watch(page, client)
    page.evaluate(
        """() => {
            window.drawn = 0;
            const observer = new MutationObserver(() => { window.drawn += 1; });
            const whole = { subtree: true, childList: true, characterData: true };
            observer.observe(document.getElementById("step"), whole);
            window.began = performance.now();
        }"""
    )
    for _ in range(STEPS):
        step(client)
    expect(page.locator("#step")).to_have_text(f"step {STEPS} of {MAX_STEPS}")
    drawn, ms = page.evaluate("[window.drawn, performance.now() - window.began]")
    assert 1 <= drawn <= 2 + ms / (1000 * PACE_S)


def test_a_tab_in_the_background_draws_nothing(page: Any, client: httpx.Client) -> None:
    watch(page, client)
    page.evaluate("Object.defineProperty(document, 'hidden', { value: true, writable: true })")
    step(client)
    arrived = "({ view }) => view.episode.observations.length > 1"
    module = page.evaluate_handle("import(new URL('web/assets/view.js', location.href))")
    page.wait_for_function(arrived, arg=module)
    page.evaluate(f"async () => {{ {VIEW} view.redraw(); {DRAWN} }}")
    expect(page.locator("#step")).to_have_text(f"step 0 of {MAX_STEPS}")
    page.evaluate("document.hidden = false")
    expect(page.locator("#step")).to_have_text(f"step 1 of {MAX_STEPS}")


def test_another_curve_takes_the_place_of_the_chart(page: Any) -> None:
    begin(page, Tier.EASY, 7)
    for curve in (0, 1):
        page.locator("#services .spark").nth(curve).click()
    expect(page.locator("#chart .uplot")).to_have_count(1)
