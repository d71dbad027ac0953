"""A real Chromium on a server over simulated meshes. Skipped where either is not installed."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from tests.server.doors import Workshop, make_app, on_a_port

playwright_api = pytest.importorskip("playwright.sync_api", reason="extra console-test")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE_MS = 90_000
DESK = {"width": 1400, "height": 1000}


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no chromium on the PATH")
    with playwright_api.sync_playwright() as playwright:
        # Chromium's own sandbox cannot be had by root in a container; pages are ours alone.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    return make_app(Workshop(), record_dir=tmp_path / "records")


@pytest.fixture
def url(app: FastAPI) -> Iterator[str]:
    with on_a_port(app) as url:
        yield url


@pytest.fixture
def page(browser: Any, url: str) -> Iterator[Any]:
    """The console, ready; the test fails where the browser's console has an error."""
    context = browser.new_context(viewport=DESK)
    context.set_default_timeout(PATIENCE_MS)
    playwright_api.expect.set_options(timeout=PATIENCE_MS)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    page.on(
        "request",
        lambda asked: None if local(asked.url, url) else problems.append(asked.url),
    )
    page.goto(f"{url}/web")
    page.wait_for_selector("html[data-ready]")
    yield page
    context.close()
    assert problems == []


def local(address: str, url: str) -> bool:
    return address.startswith((url, "data:", "blob:"))
