"""Scores over HTTP: of a session's finished episode, or of a heuristic that plays its own.

Its own are played in the simulator, in a fraction of a second, unless another backend is named.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Query
from openenv.core.env_server import SessionCapacityError

from orchestrator.validation import MAX_SEED
from server.environment import SREEnvironment
from server.schemas import Problem
from server.sessions import DEFAULT_SESSION, SessionServer
from sre_autopilot.errors import SREError
from sre_autopilot.grading import WEIGHTS, EpisodeRecord, Score
from sre_autopilot.policies.heuristic import Heuristic
from sre_autopilot.simulator import NAME as SIMULATOR
from sre_autopilot.world.vocabulary import DEFAULT_TIERS, Tier

DEFAULT_SEED = 0
Backend = Annotated[str, Query(description="the world that the episodes are played in")]
Seed = Annotated[int, Query(ge=0, le=MAX_SEED, description="of the episodes played")]
NO_ROOM: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (404, 409)}


def grading_routes(sessions: SessionServer) -> APIRouter:
    """/grader and /baseline."""
    router = APIRouter(tags=["Scores"], responses=NO_ROOM)

    @router.get("/grader", summary="A score in (0, 1)")
    async def grader(
        tier: Annotated[Tier | None, Query(description="play the heuristic on it")] = None,
        seed: Seed = DEFAULT_SEED,
        backend: Backend = SIMULATOR,
        session_id: Annotated[str, Query(description="grade its episode")] = DEFAULT_SESSION,
    ) -> Any:
        """With `tier`, plays the heuristic and grades it; without, grades the session's episode."""
        if tier is None:
            environment = sessions.find_begun(session_id)
            if environment.score is None:
                raise NotOver(environment.state.step_count)
            return _told(environment.score)
        async with _guest(sessions) as guest:
            record, score = await guest.play(Heuristic(), tier, seed, backend)
            return {"tier": tier, **_played(record), **_told(score)}

    @router.get("/baseline", summary="The heuristic's scores on the default tiers")
    async def baseline(seed: Seed = DEFAULT_SEED, backend: Backend = SIMULATOR) -> Any:
        async with _guest(sessions) as guest:
            played = [await guest.play(Heuristic(), tier, seed, backend) for tier in DEFAULT_TIERS]
        return {
            **_played(played[0][0]),
            "scores": {record.tier: round(score.total, 4) for record, score in played},
        }

    return router


class NoRoom(SREError, RuntimeError):
    """No session is free to play a graded episode in."""

    def __init__(self, most: int) -> None:
        super().__init__(
            f"all {most} sessions are in use and a graded episode needs its own; end one, or try "
            "again when one is over"
        )


class NotOver(SREError, RuntimeError):
    """A score was asked for before the last step."""

    def __init__(self, step: int) -> None:
        super().__init__(f"the episode is at step {step} and has no score yet; play it to its end")


@asynccontextmanager
async def _guest(sessions: SessionServer) -> AsyncIterator[SREEnvironment]:
    try:
        async with sessions.guest() as guest:
            yield guest
    except SessionCapacityError as error:
        raise NoRoom(error.max_sessions) from error


def _played(record: EpisodeRecord) -> dict[str, Any]:
    return {"policy": record.policy, "backend": record.backend, "seed": record.seed}


def _told(score: Score) -> dict[str, Any]:
    terms = score.model_dump(include=set(WEIGHTS))
    return {
        "score": round(score.total, 4),
        "terms": {term: round(value, 4) for term, value in terms.items()},
        "resolved": score.resolved,
        "recovered_at": score.recovered_at,
    }
