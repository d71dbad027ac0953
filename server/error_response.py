"""How an error becomes an answer: a status, and a `Problem` that says what to do next."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from orchestrator.errors import (
    BackendError,
    EnvironmentClosed,
    TooManyCalls,
    UnknownRecord,
    UnknownSession,
)
from server.openenv_compat import SessionCapacityError
from server.schemas import Problem
from sre_autopilot.errors import InvalidAction, InvalidValue, SREError, UnknownName

RETRY_AFTER_S = 5
INVALID_REQUEST = "invalid_request"

STATUSES: Mapping[type[Exception], HTTPStatus] = {
    UnknownName: HTTPStatus.UNPROCESSABLE_ENTITY,
    InvalidAction: HTTPStatus.UNPROCESSABLE_ENTITY,
    InvalidValue: HTTPStatus.UNPROCESSABLE_ENTITY,
    UnknownSession: HTTPStatus.NOT_FOUND,
    UnknownRecord: HTTPStatus.NOT_FOUND,
    EnvironmentClosed: HTTPStatus.NOT_FOUND,
    SessionCapacityError: HTTPStatus.SERVICE_UNAVAILABLE,
    BackendError: HTTPStatus.SERVICE_UNAVAILABLE,
    TooManyCalls: HTTPStatus.TOO_MANY_REQUESTS,
    SREError: HTTPStatus.CONFLICT,
}
"""The first class that fits. All other errors of ours are calls at the wrong time: a conflict."""
HINTS: Mapping[int, str] = {404: "; /docs lists the routes", 405: "; /docs lists the methods"}

DETAILS: Mapping[int, str] = {413: "the body is too large; docs/http-api.md lists the limits"}
TOO_LARGE = "content_too_large"
"""Python before 3.13 has another phrase for its status."""


def kind_of(status: int) -> str:
    """What a `Problem` of no better kind calls its error."""
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return TOO_LARGE
    return HTTPStatus(status).phrase.lower().replace(" ", "_")


def handle_errors(app: FastAPI) -> None:
    """Every error of ours, and every request that cannot be read, becomes a `Problem`."""

    async def own(_request: Request, error: Exception) -> JSONResponse:
        return error_response(error)

    for kind in (SREError, SessionCapacityError):
        app.add_exception_handler(kind, own)
    app.add_exception_handler(RequestValidationError, _validation_response)
    app.add_exception_handler(HTTPException, _http_response)


def error_response(error: Exception) -> JSONResponse:
    """The answer for an error of STATUSES: its class in snake case, its text, what is valid."""
    status = next(status for kind, status in STATUSES.items() if isinstance(error, kind))
    detail = str(error)
    if isinstance(error, SessionCapacityError):
        detail = (
            f"{error.active_sessions} of {error.max_sessions} sessions are in use; end one, or "
            "try again when one is over"
        )
    kind = re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()
    field, valid = getattr(error, "field", None), getattr(error, "valid", None)
    problem = Problem(error=kind, detail=detail, field=field, valid_values=valid)
    return problem_response(status, problem, getattr(error, "retry_after_s", RETRY_AFTER_S))


def problem_response(
    status: int, problem: Problem, retry_after_s: int = RETRY_AFTER_S
) -> JSONResponse:
    """A `Problem` with its status; 429 and 503 say when to try again."""
    passes = status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
    headers = {"Retry-After": str(retry_after_s)} if passes else None
    return JSONResponse(problem.model_dump(), status, headers)


async def _validation_response(request: Request, error: Exception) -> JSONResponse:
    """For a body or a query that is not what the route takes: its first error."""
    assert isinstance(error, RequestValidationError)
    sent = request.headers.get("content-type", "")
    if await request.body() and sent.partition(";")[0].strip() != "application/json":
        detail = f"send JSON with the header Content-Type: application/json, not {sent or 'none'}"
        problem = Problem(error="wrong_content_type", detail=detail)
        return problem_response(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, problem)
    first: dict[str, Any] = error.errors()[0]
    context: dict[str, Any] = first.get("ctx", {})
    if first["type"] == "json_invalid":
        detail = f"the body is no JSON: {context.get('error', '')} at character {first['loc'][-1]}"
        return problem_response(
            HTTPStatus.BAD_REQUEST, Problem(error="malformed_json", detail=detail)
        )
    if "detail" in context:  # an error of ours, by `as_pydantic`
        problem = Problem(
            error=INVALID_REQUEST,
            detail=context["detail"],
            field=context["field"],
            valid_values=context["valid"],
        )
    else:
        where = [str(part) for part in first["loc"] if part not in ("body", "query")]
        problem = Problem(
            error=INVALID_REQUEST,
            detail=f"{'.'.join(where) or 'body'}: {first['msg']}",
            field=where[-1] if where else None,
        )
    return problem_response(HTTPStatus.UNPROCESSABLE_ENTITY, problem)


async def _http_response(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    kind = kind_of(error.status_code)
    detail = f"{DETAILS.get(error.status_code, error.detail)}{HINTS.get(error.status_code, '')}"
    answer = problem_response(error.status_code, Problem(error=kind, detail=detail))
    answer.headers.update(error.headers or {})
    return answer
