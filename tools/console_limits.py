"""What the console costs, measured in a real Chromium: start, memory, first paint, watching.

python -m tools.console_limits [--seconds 15]

Two sessions are played at five steps a second each, first watched by nobody, then by a tab each.
"""

import argparse
import asyncio
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from playwright.async_api import Browser, async_playwright

from server.server_process import server_process
from sre_autopilot.simulator import NAME as SIMULATOR
from sre_autopilot.world.vocabulary import ActionName, Tier

SESSIONS, STEPS_PER_S = ("first", "second"), 5.0
SECONDS = 15.0
PATIENCE_MS = 60_000
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
READY = "html[data-ready]"


def cpu_s(pid: int) -> float:
    """CPU time of a process so far (proc(5), stat)."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, after_name[11:13])) / TICKS_PER_S


def memory_mb(pid: int) -> float:
    """Its resident memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def browser_cpu_s(browser: Browser) -> float:
    """CPU time of all processes of the browser so far."""
    session = await browser.new_browser_cdp_session()
    processes: dict[str, Any] = await session.send("SystemInfo.getProcessInfo")
    await session.detach()
    return float(sum(process["cpuTime"] for process in processes["processInfo"]))


async def keep_playing(url: str, session: str) -> None:
    """Steps at STEPS_PER_S, episode after episode, until it is cancelled."""
    begin = {"session_id": session, "task_tier": Tier.MEDIUM, "seed": 7}
    step = {"session_id": session, "action": ActionName.WAIT}
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        over = True
        while True:
            answer = await client.post("/reset" if over else "/step", json=begin if over else step)
            over = answer.raise_for_status().json()["done"]
            await asyncio.sleep(1.0 / STEPS_PER_S)


@asynccontextmanager
async def playing(url: str) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(keep_playing(url, session)) for session in SESSIONS]
    try:
        await asyncio.sleep(1.0 / STEPS_PER_S)
        yield
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def watch(browser: Browser, url: str, session: str) -> float:
    """Opens a tab that watches; ms to its first paint."""
    page = await browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    await page.goto(f"{url}/web")
    await page.wait_for_selector(READY)
    paint: float = await page.evaluate(PAINT)
    await page.click("#watch-open")
    await page.fill("#watch-session", session)
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#panels:not([hidden])")
    return paint


async def shares(browser: Browser, server: int, seconds: float) -> tuple[float, float]:
    """Percent of a core that the server and the browser take for so long."""
    began, before = time.monotonic(), (cpu_s(server), await browser_cpu_s(browser))
    await asyncio.sleep(seconds)
    after, took = (cpu_s(server), await browser_cpu_s(browser)), time.monotonic() - began
    of_server, of_browser = ((b - a) / took for a, b in zip(before, after, strict=True))
    return 100.0 * of_server, 100.0 * of_browser


async def measure(chromium: str, seconds: float) -> list[tuple[str, str]]:
    """Rows: what, how much."""
    async with AsyncExitStack() as at_the_end:
        folder = Path(at_the_end.enter_context(TemporaryDirectory()))
        log = at_the_end.enter_context((folder / "log").open("wb"))
        began = time.monotonic()
        running = server_process(folder, log, backend=SIMULATOR, max_sessions=str(len(SESSIONS)))
        url, server = await at_the_end.enter_async_context(running)
        started_s, at_rest_mb = time.monotonic() - began, memory_mb(server.pid)
        playwright = await at_the_end.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        at_the_end.push_async_callback(browser.close)
        await at_the_end.enter_async_context(playing(url))
        alone, _ = await shares(browser, server.pid, seconds)
        played_mb = memory_mb(server.pid)
        paints = [await watch(browser, url, session) for session in SESSIONS]
        watched, of_browser = await shares(browser, server.pid, seconds)
        watched_mb = memory_mb(server.pid)
    return [
        ("server, start to ready", f"{started_s:.1f} s"),
        ("server, memory at rest", f"{at_rest_mb:.0f} MB"),
        ("server, memory added by two sessions", f"{played_mb - at_rest_mb:.1f} MB"),
        ("server, memory added by two tabs that watch", f"{watched_mb - played_mb:.1f} MB"),
        ("first paint, first and second tab", " and ".join(f"{ms:.0f} ms" for ms in paints)),
        ("server, 10 steps a second on two meshes", f"{alone:.1f} % of a core"),
        ("server, the same with two tabs that watch", f"{watched:.1f} % of a core"),
        ("browser, all processes, 10 updates a second", f"{of_browser:.1f} % of a core"),
    ]


async def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 with the table on standard output, 2 where there is no Chromium."""
    parser = argparse.ArgumentParser(prog="console_limits", description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each measurement, s")
    seconds = parser.parse_args(arguments).seconds
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.stderr.write("no chromium on the PATH: make console-limits installs one\n")
        return 2
    sys.stderr.write(f"measuring, {2 * seconds:.0f} s and a little\n")
    rows = [("what", "measured"), ("---", "---"), *await measure(chromium, seconds)]
    sys.stdout.write("".join(f"| {what} | {value} |\n" for what, value in rows))
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
