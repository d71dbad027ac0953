"""What would have been better in an episode that is over, over HTTP. Reveals the truth, so that it
is for whom `/state` shows it to, and never of an episode that still runs.

The work takes seconds: it is done in a process of its own, one at a time, at the lowest priority.
"""

import asyncio
import sys
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, HTTPException, Query, Request, Response

from orchestrator.errors import NotGradedYet, NotReplayable
from orchestrator.settings import Settings
from server.rate_limits import Cost, RateLimits
from server.record_folder import RecordFolder
from server.routes import is_trusted
from server.schemas import DEFAULT_SESSION, Problem
from server.sessions import SessionServer
from sre_autopilot.grading import dump_lines

TIMEOUT_S = 120.0
MOST_KEPT = 32
"""Reviews that are kept: a page asks more than once."""
Format = Literal["json", "markdown", "html"]
MEDIA_TYPES: dict[Format, str] = {
    "json": "application/json",
    "markdown": "text/markdown; charset=utf-8",
    "html": "text/html; charset=utf-8",
}
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem} for status in (401, 404, 409, 422, 429)
}


def debrief_routes(settings: Settings, sessions: SessionServer, limits: RateLimits) -> APIRouter:
    """/debrief."""
    router = APIRouter(tags=["Scores"], responses=ERRORS)
    reviewer, folder = Reviewer(), RecordFolder(settings.record_dir)

    @router.get(
        "/debrief",
        summary="What would have been better in an episode that is over, and when",
        response_class=Response,
        responses={200: {"content": {kind: {} for kind in MEDIA_TYPES.values()}}},
    )
    async def debrief(
        call: Request,
        *,
        session_id: Annotated[str, Query(description="whose episode")] = DEFAULT_SESSION,
        record_id: Annotated[str | None, Query(description="or a record of /records")] = None,
        format: Annotated[Format, Query(description="json, markdown or html")] = "json",
        authorization: Annotated[str | None, Header()] = None,
    ) -> Response:
        """Postmortem, and the value, regret and luck of every step; takes up to ten seconds."""
        if not is_trusted(settings, authorization):
            detail = "a debrief needs the token of /state"
            raise HTTPException(401, detail, {"WWW-Authenticate": "Bearer"})
        if record_id is not None:
            content = await asyncio.to_thread(folder.read, record_id)
        else:
            content = "\n".join(_finished(sessions, session_id)).encode("ascii")
        limits.admit(Cost.GRADED, call.scope)
        text = await reviewer.review(content, format)
        headers = {"Cache-Control": "no-store"}
        return Response(text, media_type=MEDIA_TYPES[format], headers=headers)

    return router


def _finished(sessions: SessionServer, session_id: str) -> Iterator[str]:
    """Lines of the record of a session's episode. Raises NotGradedYet while it runs."""
    episode = sessions.find_started(session_id).episode
    if episode.score is None:
        raise NotGradedYet(episode.step)
    return dump_lines(episode.record())


class Reviewer:
    """Runs `python -m sre_autopilot.debrief`; the last reviews are kept."""

    def __init__(self) -> None:
        self._one_at_a_time = asyncio.Lock()
        self._kept: dict[tuple[bytes, str], bytes] = {}

    async def review(self, content: bytes, format_: Format) -> bytes:
        """Raises NotReplayable, which says why."""
        async with self._one_at_a_time:
            kept = self._kept.get((content, format_))
            if kept is None:
                kept = await _run(content, format_)
                self._kept[content, format_] = kept
                if len(self._kept) > MOST_KEPT:
                    del self._kept[next(iter(self._kept))]
            return kept


async def _run(content: bytes, format_: Format) -> bytes:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sre_autopilot.debrief", format_),
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            text, problem = await process.communicate(content)
    except TimeoutError as error:
        raise NotReplayable(f"it takes longer than {TIMEOUT_S:.0f} s here") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        lines = problem.decode(errors="replace").strip().splitlines()
        raise NotReplayable(lines[-1] if lines else f"it exits with {process.returncode}")
    return text
