"""The routes for HTTP clients: stateful, by session. Decides nothing about an episode."""

import secrets
from functools import cache
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, HTTPException, Query, Request

from orchestrator.settings import Settings
from server.environment import NAME
from server.rate_limits import Cost, RateLimits
from server.schemas import (
    DEFAULT_SESSION,
    ObservationResponse,
    Problem,
    ResetRequest,
    StateResponse,
    StepRequest,
)
from server.sessions import SessionServer
from sre_autopilot.models import SREAction, SREObservation, SREState
from sre_autopilot.version import __version__
from sre_autopilot.world.vocabulary import (
    DEFAULT_TIERS,
    MAX_STEPS,
    SEED_SPLITS,
    WORLD_VERSION,
    Tier,
)

DIFFICULTY = {
    Tier.EASY: "one fault; its symptoms point at it",
    Tier.MEDIUM: "one fault; the service with the worst symptoms may not be the cause",
    Tier.HARD: "one fault that comes and goes; its cure depends on a hidden cause",
    Tier.CONTROL: "extra: nothing may be wrong at all",
    Tier.EXPERT: "extra: any fault, or two at once",
}

SessionId = Annotated[str, Query(description="whose episode")]
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem} for status in (400, 404, 409, 413, 415, 422, 429, 503)
}
WRONG_TOKEN: dict[int | str, dict[str, Any]] = {401: {"model": Problem}}


def control_routes(sessions: SessionServer, settings: Settings, limits: RateLimits) -> APIRouter:
    """reset, step, state, and the end of a session."""
    router = APIRouter(tags=["Episodes"], responses=ERRORS)

    @router.post("/reset", summary="Begin an episode")
    async def reset(
        call: Request, request: Annotated[ResetRequest | None, Body()] = None
    ) -> ObservationResponse:
        limits.admit(Cost.RESETS, call.scope)
        request = request or ResetRequest()
        arguments = request.model_dump(exclude={"session_id"}, exclude_none=True)
        session_id = sessions.name_for(request.session_id)
        async with sessions.find_or_create(session_id) as environment:
            observation = await environment.reset_async(**arguments)
        return ObservationResponse.of(observation, session_id)

    @router.post("/step", summary="Act, and see the next window")
    async def step(request: StepRequest) -> ObservationResponse:
        environment = sessions.find_started(request.session_id)
        return ObservationResponse.of(
            await environment.step_async(request.parsed_action), request.session_id
        )

    @router.get(
        "/state",
        summary="Where the session is",
        response_model_exclude_unset=True,
        responses=WRONG_TOKEN,
    )
    async def state(
        session_id: SessionId = DEFAULT_SESSION,
        authorization: Annotated[str | None, Header()] = None,
    ) -> StateResponse:
        """With the truth in it, where no token is set or the right one is sent."""
        trusted = is_trusted(settings, authorization)
        if session_id == DEFAULT_SESSION and session_id not in sessions.names:
            return StateResponse(**SREState().model_dump())
        environment = sessions.find(session_id)
        fields = environment.state.model_dump()
        if trusted and environment.state.episode_id is not None:
            record = environment.hidden_state()
            fields["hidden"] = record.model_dump(mode="json", exclude={"steps"}) | {
                "true": record.steps[-1].model_dump(mode="json")["true"] if record.steps else None
            }
        return StateResponse(**fields)

    @router.delete("/sessions/{session_id}", status_code=204, summary="End a session")
    async def end(
        session_id: str,
        after_s: Annotated[
            float, Query(ge=0, le=60, description="only after so long without a call")
        ] = 0.0,
    ) -> None:
        await sessions.end(session_id, after_s)

    return router


def information_routes(settings: Settings) -> APIRouter:
    """What there is to play, for programs."""
    router = APIRouter(tags=["Environment Info"])

    @router.get("/tasks", summary="Tiers, schemas, and which versions and backend play")
    async def tasks() -> dict[str, Any]:
        return {
            "tasks": [
                {
                    "id": tier,
                    "task_tier": tier,
                    "default": tier in DEFAULT_TIERS,
                    "description": DIFFICULTY[tier],
                    "max_steps": MAX_STEPS,
                }
                for tier in Tier
            ],
            "environment": {
                "name": NAME,
                "version": __version__,
                "world_version": WORLD_VERSION,
                "backend": settings.backend,
            },
            "seeds": {split: [seeds[0], seeds[-1]] for split, seeds in SEED_SPLITS.items()},
            **_schemas(),
        }

    return router


@cache
def _schemas() -> dict[str, Any]:
    """Of what is sent and what is answered: 15 ms, once a process."""
    return {
        "action_schema": SREAction.model_json_schema(),
        "observation_schema": SREObservation.model_json_schema(),
    }


def is_trusted(settings: Settings, authorization: str | None) -> bool:
    """Whether the caller may see the truth. Raises HTTPException (401) for a wrong token."""
    token = settings.state_token
    if token is None or authorization is None:
        return token is None
    scheme, _, sent = authorization.partition(" ")
    expected = token.get_secret_value()
    is_right = secrets.compare_digest(sent.strip().encode(), expected.encode())
    if scheme.lower() == "bearer" and is_right:  # a scheme has no case (RFC 9110, 11.1)
        return True
    raise HTTPException(401, "wrong token", {"WWW-Authenticate": "Bearer"})


def require_token(settings: Settings, authorization: str | None) -> None:
    """Raises HTTPException (401) for a caller who may not see the truth."""
    if not is_trusted(settings, authorization):
        raise HTTPException(401, "this needs the token of /state", {"WWW-Authenticate": "Bearer"})
