"""HEAD and redirects, on every route of the server."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.responses import RedirectResponse

from server.http_middleware import (
    HeadMiddleware,
    QuestionQueueMiddleware,
    RelativeRedirectMiddleware,
)
from tests.server.doors import until_async


@pytest.mark.parametrize("path", ["/health", "/ready", "/tasks", "/web", "/metadata"])
def test_head_is_get_without_a_body(client, path):
    answer, head = client.get(path), client.head(path)
    assert head.status_code == answer.status_code == 200
    assert head.headers["content-type"] == answer.headers["content-type"]
    assert head.headers["content-length"] == answer.headers["content-length"]
    assert head.content == b"" != answer.content


def test_head_of_a_route_that_has_no_get_is_refused(client):
    assert client.head("/step").status_code == 405
    assert client.head("/nowhere").status_code == 404


@pytest.mark.parametrize("path", ["/web/", "/tasks/?a=1"])
def test_a_redirect_names_no_scheme(client, path):
    answer = client.get(path, headers={"x-forwarded-proto": "https"}, follow_redirects=False)
    assert answer.status_code in {307, 308}
    assert answer.headers["location"] == path.replace("/?", "?").rstrip("/")


def test_a_redirect_elsewhere_stays_as_it_is():
    app = FastAPI()
    app.add_middleware(RelativeRedirectMiddleware)
    app.add_middleware(HeadMiddleware)

    @app.get("/away")
    def away() -> RedirectResponse:
        return RedirectResponse("https://example.org/page?q=1")

    answer = TestClient(app).head("/away", follow_redirects=False)
    assert answer.headers["location"] == "https://example.org/page?q=1"


@pytest.mark.anyio
async def test_questions_wait_in_a_bounded_queue_and_steps_do_not():
    held, answer = [], asyncio.Event()
    app = FastAPI()
    app.add_middleware(QuestionQueueMiddleware, most=2, most_waiting=3)

    @app.get("/question")
    async def question() -> None:
        held.append(1)
        await answer.wait()

    @app.post("/step")
    async def step() -> None:
        pass

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
        asked = [asyncio.create_task(client.get("/question")) for _ in range(6)]
        await until_async(lambda: any(task.done() for task in asked))
        (refused,) = (task.result() for task in asked if task.done())
        assert refused.status_code == 503
        assert refused.json()["error"] == "too_many_requests_waiting"
        assert (await client.post("/step")).status_code == 200
        assert len(held) == 2
        answer.set()
        statuses = sorted([(await task).status_code for task in asked])
    assert statuses == [200] * 5 + [503]
