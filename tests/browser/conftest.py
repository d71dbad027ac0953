"""A real Chromium on a server over simulated meshes. Skipped where either is not installed."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from tests.browser.reviews import made_up
from tests.browser.tabs import PATIENCE_MS, console
from tests.server.doors import Workshop, make_app, on_a_port

playwright_api = pytest.importorskip("playwright.sync_api", reason="extra console-test")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--no-proxy-server")
"""Chromium's own sandbox cannot be had by root in a container; pages are ours alone."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no chromium on the PATH")
    playwright_api.expect.set_options(timeout=PATIENCE_MS)
    with playwright_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS])
        yield browser
        browser.close()


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    """Of the server; tests add theirs."""
    return {"record_dir": tmp_path / "records"}


@pytest.fixture
def app(settings: dict[str, Any]) -> FastAPI:
    return make_app(Workshop(), **settings)


@pytest.fixture
def url(app: FastAPI) -> Iterator[str]:
    with on_a_port(app) as url:
        yield url


@pytest.fixture
def reviewed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Debriefs are made up: a real one takes seconds of a core."""

    async def review(_reviewer: object, _content: bytes, _format: str) -> bytes:
        return made_up().model_dump_json().encode()

    monkeypatch.setattr("server.debrief.Reviewer.review", review)


@pytest.fixture
def problems() -> list[str]:
    """What the browser's console says, and requests of other hosts; a test that causes some on
    purpose clears it.
    """
    return []


@pytest.fixture
def page(browser: Any, url: str, problems: list[str], reviewed: None) -> Iterator[Any]:
    """The console, ready."""
    with console(browser, url, problems) as page:
        yield page
    assert problems == []
