"""What HTTP clients send and get, and how an error becomes a status. Says what to do next."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Self

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from openenv.core.env_server import SessionCapacityError
from openenv.core.env_server.serialization import serialize_observation
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.exceptions import HTTPException

from orchestrator.errors import BackendError, EnvironmentClosed, UnknownSession
from server.sessions import DEFAULT_SESSION
from sre_autopilot.errors import InvalidAction, InvalidValue, SREError, UnknownName
from sre_autopilot.models import SREAction, SREObservation
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, Tier

RETRY_AFTER_S = 5
_UNAVAILABLE = 503
_QUOTED = re.compile(r"'([^']*)'")

STATUSES: Mapping[type[Exception], int] = {
    UnknownName: 422,
    InvalidAction: 422,
    InvalidValue: 422,
    UnknownSession: 404,
    EnvironmentClosed: 404,
    SessionCapacityError: _UNAVAILABLE,
    BackendError: _UNAVAILABLE,
    SREError: 409,
}
"""The first that fits; what else may go wrong is a call at the wrong time."""
HINTS: Mapping[int, str] = {404: "; /docs lists the routes", 405: "; /docs lists the methods"}


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")

    session_id: str = Field(DEFAULT_SESSION, description="whose episode; one of your choice")

    @model_validator(mode="before")
    @classmethod
    def _known(cls, given: Any) -> Any:
        for name in given if isinstance(given, dict) else ():
            if name not in cls.model_fields:
                raise UnknownName("field", name, cls.model_fields)
        return given


class ResetRequest(_Request):
    """Begins an episode; all fields may be left out."""

    task_tier: Tier = Tier.EASY
    seed: int | None = Field(None, ge=0, description="decides the hidden story (default: random)")
    episode_id: str | None = Field(None, description="default: a new one")
    backend: str | None = Field(None, description="default: the server's own")
    policy: str | None = Field(None, max_length=128, description="who plays, for the record")


class StepRequest(_Request):
    """One action, flat or nested under `action`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"action": ActionName.RESTART, "service_id": Service.USER_DB},
                {"action": {"action": ActionName.WAIT}},
            ]
        }
    )

    action: ActionName
    service_id: Service | None = None
    timeout_s: float | None = Field(None, gt=0, description="not used: a step is never cut short")
    request_id: str | None = Field(None, max_length=255, description="not used")

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, given: Any) -> Any:
        match given:
            case {"action": dict() as nested, **rest}:
                return {**rest, **nested}
        return given

    @property
    def taken(self) -> SREAction:
        return SREAction(action=self.action, service_id=self.service_id)


class Seen(BaseModel):
    """What reset and step answer."""

    observation: dict[str, Any] = Field(description="see /schema")
    reward: float
    done: bool
    session_id: str

    @classmethod
    def of(cls, observation: SREObservation, session_id: str) -> Self:
        told = serialize_observation(observation)
        return cls(session_id=session_id, **{k: v for k, v in told.items() if k != "metadata"})


class Problem(BaseModel):
    """What every error answers."""

    error: str = Field(description="its kind")
    detail: str = Field(description="what is wrong, and what to do")
    field: str | None = None
    valid_values: list[str] | None = None


def problem(status: int, found: Problem) -> JSONResponse:
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == _UNAVAILABLE else None
    return JSONResponse(found.model_dump(), status, headers)


def handle_errors(app: FastAPI) -> None:
    """Every error of ours, and every body that cannot be read, becomes a `Problem`."""

    async def ours(_request: Request, error: Exception) -> JSONResponse:
        return of_error(error)

    for kind in (SREError, SessionCapacityError):
        app.add_exception_handler(kind, ours)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(HTTPException, _refused)


def of_error(error: Exception) -> JSONResponse:
    status = next(status for kind, status in STATUSES.items() if isinstance(error, kind))
    valid = getattr(error, "valid", None)
    detail = str(error)
    if isinstance(error, SessionCapacityError):
        detail = (
            f"{error.active_sessions} of {error.max_sessions} sessions are in use; end one, or "
            "try again when one is over"
        )
    kind = re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()
    field = getattr(error, "field", None)
    return problem(
        status,
        Problem(error=kind, detail=detail, field=field, valid_values=valid and [*map(str, valid)]),
    )


async def _unreadable(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    sent = request.headers.get("content-type", "")
    if await request.body() and sent.partition(";")[0].strip() != "application/json":
        detail = f"send JSON with the header Content-Type: application/json, not {sent or 'none'}"
        return problem(415, Problem(error="wrong_content_type", detail=detail))
    first = error.errors()[0]
    where = [str(part) for part in first["loc"] if part not in ("body", "query")]
    if first["type"] == "json_invalid":
        why = first.get("ctx", {}).get("error", "")
        detail = f"the body is no JSON: {why} at character {first['loc'][-1]}"
        return problem(400, Problem(error="malformed_json", detail=detail))
    if isinstance(unknown := first.get("ctx", {}).get("error"), UnknownName):
        found = Problem(
            error="invalid_request",
            detail=str(unknown),
            field=str(unknown.value).encode(errors="backslashreplace").decode(),
            valid_values=[*unknown.valid],
        )
        return problem(422, found)
    expected = first.get("ctx", {}).get("expected")
    return problem(
        422,
        Problem(
            error="invalid_request",
            detail=f"{'.'.join(where) or 'body'}: {first['msg']}",
            field=where[-1] if where else None,
            valid_values=_QUOTED.findall(expected) if isinstance(expected, str) else None,
        ),
    )


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    detail = f"{error.detail}{HINTS.get(error.status_code, '')}"
    answer = problem(error.status_code, Problem(error=kind, detail=detail))
    answer.headers.update(error.headers or {})
    return answer
