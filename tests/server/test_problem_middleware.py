"""The last word on answers: every error is a `Problem`."""

import asyncio

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.responses import PlainTextResponse

from server.problem_middleware import ProblemMiddleware
from server.schemas import Problem
from tests.server.doors import until_async

pytestmark = pytest.mark.anyio


def app_with(endpoint):
    app = FastAPI()
    app.add_middleware(ProblemMiddleware)
    app.get("/")(endpoint)
    return app


def test_an_error_in_plain_text_becomes_a_problem():
    async def refuse():
        return PlainTextResponse("not here", 410)

    answer = TestClient(app_with(refuse)).get("/")
    assert answer.status_code == 410
    assert Problem.model_validate(answer.json()).detail == "not here"


def test_an_answer_that_is_no_error_stays_as_it_is():
    async def agree():
        return PlainTextResponse("yes")

    assert TestClient(app_with(agree)).get("/").text == "yes"


def test_a_failure_is_a_problem_without_its_text():
    async def fail():
        raise RuntimeError("a secret")

    answer = TestClient(app_with(fail), raise_server_exceptions=False).get("/")
    assert answer.status_code == 500
    assert Problem.model_validate(answer.json()).error == "internal_error"
    assert "secret" not in answer.text


async def test_a_call_that_is_cut_short_gets_503():
    begun = asyncio.Event()

    async def stay():
        begun.set()
        await asyncio.Event().wait()

    app = app_with(stay)
    messages = []

    async def send(message):
        messages.append(message)

    scope = {
        **{"type": "http", "method": "GET", "path": "/", "raw_path": b"/", "query_string": b""},
        **{"headers": [], "http_version": "1.1", "scheme": "http", "root_path": ""},
    }
    call = asyncio.create_task(app(scope, asyncio.Event().wait, send))
    await until_async(begun.is_set)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert messages[0]["status"] == 503
    assert Problem.model_validate_json(messages[1]["body"]).error == "server_stopping"
    assert dict(messages[0]["headers"])[b"retry-after"]
