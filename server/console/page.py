"""The console at /web and the documentation at /docs: pages that need no other host and play over
the same routes as agents.
"""

import json

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse

from orchestrator.actions import ACTIONS
from orchestrator.settings import Settings
from server.console.assets import STATIC
from sre_autopilot.grading import BUDGET_UNITS
from sre_autopilot.policies import POLICY_NAMES
from sre_autopilot.world import sla
from sre_autopilot.world.topology import CALLS
from sre_autopilot.world.vocabulary import (
    ACTION_COSTS,
    MAX_RESTARTS,
    MAX_STEPS,
    RECOVERY_WINDOWS,
    ActionName,
)

KEYS = {
    "r": ActionName.RESTART,
    "s": ActionName.SCALE_UP,
    "c": ActionName.CIRCUIT_BREAK,
    "b": ActionName.ROLLBACK,
}
"""Letter -> the action on the service that was chosen by its number."""
PAGE, DOCS = STATIC / "console.html", STATIC / "docs.html"
WORLD_MARK = "__WORLD__"
"""Marks the place in the page for what the API does not answer: prices, limits, the call graph."""
CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "style-src 'self'",
        "script-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
    )
)
"""Styles, scripts and calls of this server alone, none inline.

No frame-ancestors: sites that host environments show the page in a frame.
"""
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def world(settings: Settings) -> dict[str, object]:
    """What the console has to know before its first call."""
    return {
        "costs": ACTION_COSTS,
        "does": {name: action.description for name, action in ACTIONS.items()},
        "keys": KEYS,
        "pass": ActionName.WAIT,
        "asks_first": [ActionName.ROLLBACK],
        "calls": CALLS,
        "sla": {"latency_p99": sla.P99_LIMIT_MS, "error_rate": sla.ERROR_RATE_LIMIT},
        "budget": BUDGET_UNITS,
        "max_steps": MAX_STEPS,
        "max_restarts": MAX_RESTARTS,
        "recovery_windows": RECOVERY_WINDOWS,
        "lease_s": settings.session_lease_s,
        "needs_token": settings.state_token is not None,
        "keeps_records": settings.record_dir is not None,
        "policies": POLICY_NAMES,
    }


def page_routes(settings: Settings) -> APIRouter:
    """/web, /docs, and / that redirects to /web."""
    router = APIRouter(include_in_schema=False)
    data = json.dumps(world(settings), default=dict).replace("<", "\\u003c")
    page = PAGE.read_text(encoding="utf-8").replace(WORLD_MARK, data)
    docs = DOCS.read_text(encoding="utf-8")

    @router.get("/web", response_class=HTMLResponse)
    async def web() -> HTMLResponse:
        return HTMLResponse(page, headers=HEADERS)

    @router.get("/docs", response_class=HTMLResponse)
    async def documentation() -> HTMLResponse:
        return HTMLResponse(docs, headers=HEADERS)

    @router.get("/")
    async def root() -> RedirectResponse:
        return RedirectResponse("/web")

    return router
