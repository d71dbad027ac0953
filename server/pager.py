"""GET /pager: what an on-call person would have heard by now, from what the session's agent saw."""

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from orchestrator.errors import EpisodeNotStarted
from server.environment import SREEnvironment
from server.routes import ERRORS
from server.schemas import DEFAULT_SESSION
from server.sessions import SessionServer
from sre_autopilot.models import SREObservation
from sre_autopilot.pager import Notice, pager_feed


class PagerFeed(BaseModel):
    """Notices of the session's episode, the newest first."""

    step: int | None = Field(description="the newest step; null before the first window")
    notices: list[Notice]


def pager_routes(sessions: SessionServer) -> APIRouter:
    """The one route. It is no call of the session, whose lease goes on."""
    router = APIRouter(tags=["Episodes"], responses=ERRORS)

    @router.get("/pager", summary="Alerts from what the agent sees, the newest first")
    async def pager(
        session_id: Annotated[str, Query(description="whose episode")] = DEFAULT_SESSION,
    ) -> PagerFeed:
        """By the rules of Prometheus' alerts, on the noisy values: it reveals no more than they."""
        environment: SREEnvironment = sessions.get(session_id) or sessions.find_started(session_id)
        observations: list[SREObservation] = []
        with suppress(EpisodeNotStarted):
            steps = environment.episode.steps
            observations = [SREObservation.model_validate(step.observed) for step in steps]
        step = observations[-1].step if observations else None
        return PagerFeed(step=step, notices=list(reversed(pager_feed(observations))))

    return router
