"""The documents' pictures of the console, taken in a real Chromium of a server that it starts.

python -m tools.screenshots [--out docs/pictures]
"""

import argparse
import asyncio
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.async_api import Page, ViewportSize, async_playwright, expect

from server.server_process import server_process
from sre_autopilot.world.vocabulary import MAX_STEPS, Tier

OUT = Path("docs/pictures")
TIER, SEED, STEPS = Tier.MEDIUM, 7, 6
CURE = ("2", "r")
"""The keys that restart `auth_service`, which holds the connections of that incident."""
DESK = ViewportSize(width=1400, height=1000)
PHONE = ViewportSize(width=390, height=844)
PATIENCE_MS = 60_000


async def take(url: str, out: Path, chromium: str) -> None:
    """Plays an episode on real processes: `web.png` and `phone.png` in the middle of it,
    `debrief.png` at its end, and `record.png` of its record.
    """
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = await browser.new_page(viewport=DESK)
        page.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        await page.goto(f"{url}/web")
        await page.wait_for_selector("html[data-ready]")
        await play(page)
        await picture(page, out / "web.png")
        await page.set_viewport_size(PHONE)
        await page.screenshot(path=out / "phone.png")
        await page.set_viewport_size(DESK)
        await end(page)
        await picture(page, out / "debrief.png")
        await open_record(page)
        await picture(page, out / "record.png")
        await browser.close()


async def picture(page: Page, path: Path) -> None:
    await page.evaluate("scrollTo(0, 0)")
    await page.screenshot(path=path, full_page=True)


async def play(page: Page) -> None:
    await page.select_option("#tier", TIER)
    await page.fill("#seed", str(SEED))
    await page.click("#begin button")
    for step in range(STEPS):
        await at_step(page, step)
        await page.click("#pass")
    await at_step(page, STEPS)
    await page.click("#services .spark >> nth=0")


async def end(page: Page) -> None:
    """Cures the fault, waits for the score, and opens the table of the debrief."""
    for key in CURE:
        await page.keyboard.press(key)
    await at_step(page, STEPS + 1)
    await page.check("#auto")
    await expect(page.locator("#score-title")).to_have_text("Score")
    await expect(page.locator("#debrief-done")).to_be_visible()
    await page.click("#debrief-panel summary >> nth=-1")


async def open_record(page: Page) -> None:
    """The newest record, at the step before the cure."""
    await page.click("#records-open")
    await page.click("#records-list button >> nth=0")
    await expect(page.locator("#replay-bar")).to_be_visible()
    await page.focus("#scrub")
    for _ in range(STEPS):
        await page.keyboard.press("ArrowRight")
    await at_step(page, STEPS)


async def at_step(page: Page, step: int) -> None:
    await expect(page.locator("#step")).to_have_text(f"step {step} of {MAX_STEPS}")


async def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 with the pictures taken, 2 where there is no Chromium."""
    parser = argparse.ArgumentParser(prog="screenshots", description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT)
    out = parser.parse_args(arguments).out
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.stderr.write("no chromium on the PATH: make screenshots installs one\n")
        return 2
    with TemporaryDirectory() as folder, (Path(folder) / "log").open("wb") as log:
        async with server_process(Path(folder), log, backend="process") as (url, _):
            await take(url, out, chromium)
    sys.stdout.write(f"wrote {out}/web.png, phone.png, debrief.png and record.png\n")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
