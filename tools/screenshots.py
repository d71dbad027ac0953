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
from sre_autopilot.simulator import NAME as SIMULATOR
from sre_autopilot.world.vocabulary import MAX_STEPS, Tier

OUT = Path("docs/pictures")
TIER, SEED, STEPS = Tier.MEDIUM, 7, 6
DESK = ViewportSize(width=1400, height=1000)
PATIENCE_MS = 60_000


async def take(url: str, out: Path, chromium: str) -> None:
    """Plays some steps, opens a chart, and takes `web.png`."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = await browser.new_page(viewport=DESK)
        page.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        await page.goto(f"{url}/web")
        await page.wait_for_selector("html[data-ready]")
        await play(page)
        await page.screenshot(path=out / "web.png", full_page=True)
        await browser.close()


async def play(page: Page) -> None:
    await page.select_option("#tier", TIER)
    await page.fill("#seed", str(SEED))
    await page.click("#begin button")
    for step in range(STEPS):
        await expect(page.locator("#step")).to_have_text(f"step {step} of {MAX_STEPS}")
        await page.click("#pass")
    await expect(page.locator("#step")).to_have_text(f"step {STEPS} of {MAX_STEPS}")
    await page.click("#services .spark >> nth=0")
    await page.evaluate("scrollTo(0, 0)")


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
        async with server_process(Path(folder), log, backend=SIMULATOR) as (url, _):
            await take(url, out, chromium)
    sys.stdout.write(f"wrote {out / 'web.png'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
