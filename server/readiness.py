"""GET /ready: whether an episode could begin, asked of the backend at each call."""

import logging
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from pydantic import BaseModel

from orchestrator.backends import check
from orchestrator.errors import BackendError
from orchestrator.settings import Settings
from server.preparation import Preparation
from server.routes import WRONG_TOKEN, is_trusted
from server.schemas import Problem
from server.sessions import SessionServer
from server.startup import backend_problem

log = logging.getLogger(__name__)


class Readiness(StrEnum):
    """READY alone is answered with 200. STARTING: the backend is being brought into order."""

    READY = "ready"
    FULL = "full"
    STARTING = "backend_starting"
    UNAVAILABLE = "backend_unavailable"


class ReadyResponse(BaseModel):
    """What GET /ready answers, with either status."""

    status: Readiness
    sessions: int
    max_sessions: int
    reason: str | None = None


ANSWERS: dict[int | str, dict[str, Any]] = {
    **WRONG_TOKEN,
    503: {"model": ReadyResponse | Problem},
}


def readiness_routes(
    sessions: SessionServer, settings: Settings, preparation: Preparation
) -> APIRouter:
    """The one route."""
    router = APIRouter(tags=["Health"])

    @router.get(
        "/ready",
        summary="Whether an episode could begin",
        responses=ANSWERS,
        response_model=ReadyResponse,
        response_model_exclude_none=True,
    )
    async def ready(
        response: Response, authorization: Annotated[str | None, Header()] = None
    ) -> dict[str, Any]:
        """503 where all sessions are in use, or where the backend cannot be played on.

        Why it cannot stands in the log, and in the answer for whoever sends the token: agents read
        it too.
        """
        in_use, most = sessions.in_use, sessions.max_concurrent_envs
        status, reason = Readiness.FULL, ""
        if in_use < most:
            status, reason = await backend_status(settings, preparation)
        response.status_code = 200 if status is Readiness.READY else 503
        answer = {"status": status, "sessions": in_use, "max_sessions": most}
        may_know = settings.state_token is not None and is_trusted(settings, authorization)
        return answer | {"reason": reason} if reason and may_know else answer

    return router


async def backend_status(settings: Settings, preparation: Preparation) -> tuple[Readiness, str]:
    """And the reason, where it cannot be played on."""
    if preparation.pending:
        status = Readiness.UNAVAILABLE if preparation.late else Readiness.STARTING
        return status, preparation.problem or "the server brings its backend into order"
    try:
        await check(settings)
    except (BackendError, TimeoutError) as error:
        problem = backend_problem(settings.backend, error)
        log.warning("%s", problem)
        return Readiness.UNAVAILABLE, problem
    return Readiness.READY, ""
