"""Scores over HTTP: of a session's finished episode, or of one that the heuristic plays now.

The heuristic plays in the simulator, in a fraction of a second, unless another backend is named.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from orchestrator.errors import NoFreeSession, NotGradedYet
from orchestrator.validation import MAX_SEED
from server.environment import SREEnvironment
from server.openenv_compat import SessionCapacityError
from server.rate_limits import Cost, RateLimits
from server.schemas import DEFAULT_SESSION, Problem, checked_by
from server.sessions import SessionServer
from sre_autopilot.grading import WEIGHTS, EpisodeRecord, Score, Validity
from sre_autopilot.models import parse_name
from sre_autopilot.policies.heuristic import Heuristic
from sre_autopilot.simulator import NAME as SIMULATOR
from sre_autopilot.world.vocabulary import DEFAULT_TIERS, Tier

DEFAULT_SEED = 0
Backend = Annotated[str, Query(description="where the episodes are played")]
TierQuery = Annotated[Tier, checked_by(partial(parse_name, Tier, "tier"))]
Seed = Annotated[int, Query(ge=0, le=MAX_SEED, description="of the episodes that are played")]
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem} for status in (404, 409, 422, 429, 503)
}


def grading_routes(sessions: SessionServer, limits: RateLimits) -> APIRouter:
    """/grader and /baseline."""
    router = APIRouter(tags=["Scores"], responses=ERRORS)

    @router.get("/grader", summary="A score in (0, 1)")
    async def grader(
        call: Request,
        *,
        tier: Annotated[TierQuery | None, Query(description="play the heuristic on it")] = None,
        seed: Seed = DEFAULT_SEED,
        backend: Backend = SIMULATOR,
        session_id: Annotated[str, Query(description="grade its episode")] = DEFAULT_SESSION,
    ) -> Any:
        """With `tier`, plays the heuristic and grades it; without, grades the session's episode."""
        if tier is None:
            episode = sessions.find_started(session_id).episode
            if episode.score is None:
                raise NotGradedYet(episode.step)
            return _score(episode.score, episode.validity)
        limits.admit(Cost.GRADED, call.scope)
        async with _temporary_session(sessions) as environment:
            record, score = await environment.play(Heuristic(), tier, seed, backend)
            return {"tier": tier, **_played(record), **_score(score, record.checked_validity)}

    @router.get("/baseline", summary="The heuristic's scores on the default tiers")
    async def baseline(
        call: Request, seed: Seed = DEFAULT_SEED, backend: Backend = SIMULATOR
    ) -> Any:
        limits.admit(Cost.GRADED, call.scope)
        async with _temporary_session(sessions) as environment:
            played = [
                await environment.play(Heuristic(), tier, seed, backend) for tier in DEFAULT_TIERS
            ]
        return {
            **_played(played[0][0]),
            "validity": {record.tier: record.checked_validity.verdict for record, _ in played},
            "scores": {record.tier: round(score.total, 4) for record, score in played},
        }

    return router


@asynccontextmanager
async def _temporary_session(sessions: SessionServer) -> AsyncIterator[SREEnvironment]:
    try:
        async with sessions.temporary() as environment:
            yield environment
    except SessionCapacityError as error:
        raise NoFreeSession(error.max_sessions) from error


def _played(record: EpisodeRecord) -> dict[str, Any]:
    return {"policy": record.policy, "backend": record.backend, "seed": record.seed}


def _score(score: Score, validity: Validity) -> dict[str, Any]:
    terms = score.model_dump(include=set(WEIGHTS))
    return {
        "score": round(score.total, 4),
        "terms": {term: round(value, 4) for term, value in terms.items()},
        "resolved": score.resolved,
        "recovered_at": score.recovered_at,
        "validity": validity.public(),
    }
