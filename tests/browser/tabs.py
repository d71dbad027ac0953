"""Tabs of the browser in which the console is ready; what the browser says of them is noted."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

PATIENCE_MS = 90_000
DESK = {"width": 1400, "height": 1000}


@contextmanager
def console(browser: Any, url: str, problems: list[str], **options: Any) -> Iterator[Any]:
    """One more tab, with what Playwright's `new_context` takes as `options`.

    problems: gets what the browser's console says, and requests of other hosts.
    """
    context = browser.new_context(**({"viewport": DESK} | options))
    context.set_default_timeout(PATIENCE_MS)
    try:
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: _note(message, problems))
        page.on("request", lambda request: _note_host(request.url, url, problems))
        page.goto(f"{url}/web")
        page.wait_for_selector("html[data-ready]")
        yield page
    except Exception as error:
        error.add_note(f"the browser's console: {problems}")
        raise
    finally:
        context.close()


def _note(message: Any, problems: list[str]) -> None:
    if message.type in {"error", "warning"}:
        problems.append(message.text)


def _note_host(address: str, url: str, problems: list[str]) -> None:
    if not address.startswith((url, "data:", "blob:")):
        problems.append(address)
