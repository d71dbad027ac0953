"""The page at /web: one file that needs no other host; it plays over the same routes as agents."""

import base64
import hashlib
import json
import re
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse

from sre_autopilot.grading import BUDGET_UNITS
from sre_autopilot.world import sla
from sre_autopilot.world.vocabulary import ACTION_COSTS, ActionName

PAGE = Path(__file__).with_name("page.html")
WORLD_MARK = "__WORLD__"
"""Marks the place in the page for what the API does not answer: prices and limits."""
WORLD = {
    "costs": ACTION_COSTS,
    "pass": ActionName.WAIT,
    "sla": {"latency_p99": sla.P99_LIMIT_MS, "error_rate": sla.ERROR_RATE_LIMIT},
    "budget": BUDGET_UNITS,
}


def page_routes() -> APIRouter:
    """/web, and / that redirects to it."""
    router = APIRouter(include_in_schema=False)
    page = PAGE.read_text(encoding="utf-8").replace(WORLD_MARK, json.dumps(WORLD, default=dict))
    headers = {
        "Content-Security-Policy": content_policy(page),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }

    @router.get("/web", response_class=HTMLResponse)
    async def web() -> HTMLResponse:
        return HTMLResponse(page, headers=headers)

    @router.get("/")
    async def root() -> RedirectResponse:
        return RedirectResponse("/web")

    return router


def content_policy(page: str) -> str:
    """Allows the page's own style and script only, and calls to this server only.

    No frame-ancestors: sites that host environments show the page in a frame.
    """
    return "; ".join(
        (
            "default-src 'none'",
            "connect-src 'self'",
            "img-src data:",
            f"style-src {_hashes(page, 'style')}",
            f"script-src {_hashes(page, 'script')}",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _hashes(page: str, tag: str) -> str:
    """Hashes of the contents of tags without attributes; tags with attributes hold data."""
    inline = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    digests = (hashlib.sha256(text.encode()).digest() for text in inline)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
