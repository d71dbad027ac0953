"""What the console costs, measured in a real Chromium: start, memory, first paint, watching.

python -m tools.console_limits [--seconds 15]

Two sessions are played at five steps a second each: watched by nobody, with two tabs open that do
not watch, and with a tab each that does. As a yardstick of the machine and its browser: a page of
one word, which changes as often.
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
from typing import Any, NamedTuple

import httpx
from playwright.async_api import Browser, CDPSession, Page, async_playwright

from server.server_process import server_process
from sre_autopilot.simulator import NAME as SIMULATOR
from sre_autopilot.world.vocabulary import ActionName, Tier

SESSIONS, STEPS_PER_S = ("first", "second"), 5.0
UPDATES_PER_S = STEPS_PER_S * len(SESSIONS)
SECONDS, SETTLE_S = 15.0, 3.0
"""Of a measurement; before it, for what a page does once, as it opens."""
PATIENCE_MS = 60_000
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
READY = "html[data-ready]"
WORD = "<p>0</p>"
CHANGE_WORD = """ms => {
    const word = document.querySelector("p").firstChild;
    setInterval(() => { word.data = String(Number(word.data) + 1); }, ms);
}"""


class Usage(NamedTuple):
    """CPU time so far, s; or what was taken of it meanwhile, percent of a core."""

    server: float
    browser: float
    renderers: float
    """Of `browser`: the processes that hold the pages, which lay out, paint and run scripts."""


def cpu_s(pid: int) -> float:
    """CPU time of a process so far (proc(5), stat)."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, after_name[11:13])) / TICKS_PER_S


def memory_mb(pid: int) -> float:
    """Its resident memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES / 2**20


def private_mb(pid: int) -> float:
    """Its resident memory without what is shared with files and other processes."""
    resident, shared = map(int, Path(f"/proc/{pid}/statm").read_text().split()[1:3])
    return (resident - shared) * PAGE_BYTES / 2**20


async def browser_processes(browser: Browser) -> list[dict[str, Any]]:
    """Type, id and cpuTime of each."""
    session = await browser.new_browser_cdp_session()
    processes: dict[str, Any] = await session.send("SystemInfo.getProcessInfo")
    await session.detach()
    return list(processes["processInfo"])


async def usage(browser: Browser, server: int) -> Usage:
    """CPU time so far."""
    processes = await browser_processes(browser)
    renderers = sum(each["cpuTime"] for each in processes if each["type"] == "renderer")
    return Usage(cpu_s(server), sum(each["cpuTime"] for each in processes), renderers)


async def shares(browser: Browser, server: int, seconds: float) -> Usage:
    """Percent of a core that each takes for so long, once things have settled."""
    await asyncio.sleep(SETTLE_S)
    began, before = time.monotonic(), await usage(browser, server)
    await asyncio.sleep(seconds)
    after, took = await usage(browser, server), time.monotonic() - began
    return Usage(*(100.0 * (b - a) / took for a, b in zip(before, after, strict=True)))


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


async def open_tab(browser: Browser, url: str) -> Page:
    page = await browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    await page.goto(f"{url}/web")
    await page.wait_for_selector(READY)
    return page


async def watch(page: Page, session: str) -> None:
    await page.click("#watch-open")
    await page.fill("#watch-session", session)
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#panels:not([hidden])")


async def metrics_of(page: Page) -> CDPSession:
    """A session that answers `Performance.getMetrics`."""
    session = await page.context.new_cdp_session(page)
    await session.send("Performance.enable")
    return session


async def metric(session: CDPSession, name: str) -> float:
    answer = await session.send("Performance.getMetrics")
    return float({each["name"]: each["value"] for each in answer["metrics"]}[name])


async def least(browser: Browser, server: int, seconds: float) -> Usage:
    """What a page of one word costs, which changes UPDATES_PER_S times a second."""
    page = await browser.new_page()
    await page.set_content(WORD)
    await page.evaluate(CHANGE_WORD, 1000.0 / UPDATES_PER_S)
    taken = await shares(browser, server, seconds)
    await page.close()
    return taken


async def watching(browser: Browser, url: str, server: int, seconds: float) -> dict[str, str]:
    """Rows of two tabs: idle, then with a session each that they watch."""
    before_mb = sum(private_mb(each["id"]) for each in await browser_processes(browser))
    pages = [await open_tab(browser, url) for _ in SESSIONS]
    paints = [await page.evaluate(PAINT) for page in pages]
    idle = await shares(browser, server, seconds)
    for page, session in zip(pages, SESSIONS, strict=True):
        await watch(page, session)
    metrics = await metrics_of(pages[0])
    layouts, began = await metric(metrics, "LayoutCount"), time.monotonic()
    watched = await shares(browser, server, seconds)
    layouts = (await metric(metrics, "LayoutCount") - layouts) / (time.monotonic() - began)
    heap_mb, nodes = await metric(metrics, "JSHeapUsedSize") / 2**20, await metric(metrics, "Nodes")
    after_mb = sum(private_mb(each["id"]) for each in await browser_processes(browser))
    return {
        "first paint, first and second tab": " and ".join(f"{ms:.0f} ms" for ms in paints),
        "server, the same with two tabs that watch": core(watched.server),
        "browser, two idle tabs": of_which(idle),
        "browser, the same tabs with 10 updates a second": of_which(watched),
        "layouts a second of a tab with 5 updates": f"{layouts:.1f}",
        "a tab that watches, JavaScript and nodes": f"{heap_mb:.1f} MB, {nodes:.0f}",
        "browser, private memory added by two tabs": f"{after_mb - before_mb:.0f} MB",
    }


def core(percent: float) -> str:
    return f"{percent:.1f} % of a core"


def of_which(taken: Usage) -> str:
    return f"{core(taken.browser)}, renderers {taken.renderers:.1f} %"


async def measure(chromium: str, seconds: float) -> dict[str, str]:
    """Rows: what, how much."""
    async with AsyncExitStack() as at_the_end:
        folder = Path(at_the_end.enter_context(TemporaryDirectory()))
        log = at_the_end.enter_context((folder / "log").open("wb"))
        began = time.monotonic()
        running = server_process(folder, log, backend=SIMULATOR, max_sessions=str(len(SESSIONS)))
        url, server = await at_the_end.enter_async_context(running)
        started_s, started_cpu_s = time.monotonic() - began, cpu_s(server.pid)
        at_rest_mb = memory_mb(server.pid)
        playwright = await at_the_end.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        at_the_end.push_async_callback(browser.close)
        yardstick = await least(browser, server.pid, seconds)
        await at_the_end.enter_async_context(playing(url))
        alone = await shares(browser, server.pid, seconds)
        played_mb = memory_mb(server.pid)
        rows = await watching(browser, url, server.pid, seconds)
        watched_mb = memory_mb(server.pid)
    return {
        "server, start to ready": f"{started_s:.1f} s, {started_cpu_s:.1f} s of CPU",
        "server, memory at rest": f"{at_rest_mb:.0f} MB",
        "server, memory added by two sessions": f"{played_mb - at_rest_mb:.1f} MB",
        "server, memory added by two tabs that watch": f"{watched_mb - played_mb:.1f} MB",
        "server, 10 steps a second on two meshes": core(alone.server),
        "browser, a page of one word that changes as often": of_which(yardstick),
        **rows,
    }


async def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 with the table on standard output, 2 where there is no Chromium."""
    parser = argparse.ArgumentParser(prog="console_limits", description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each measurement, s")
    seconds = parser.parse_args(arguments).seconds
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.stderr.write("no chromium on the PATH: make console-limits installs one\n")
        return 2
    sys.stderr.write(f"measuring, {4 * (SETTLE_S + seconds):.0f} s and a little\n")
    rows = {"what": "measured", "---": "---", **await measure(chromium, seconds)}
    sys.stdout.write("".join(f"| {what} | {value} |\n" for what, value in rows.items()))
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
