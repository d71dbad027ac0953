"""The in-flight limit, and what is counted of the calls that pass it."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI, HTTPException
from starlette.types import Receive, Scope, Send

from services.runtime.admission import UNROUTED, AdmissionMiddleware
from services.runtime.metrics import Metrics
from sre_autopilot.world.signals import LABEL_ROUTE, LABEL_STATUS, SERVER_DURATION, SHED_REQUESTS
from tests.services.neighbours import eventually, sample

pytestmark = pytest.mark.anyio

LIMIT = 3


class Door:
    """An app behind a limit, whose calls wait until let go."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.go = asyncio.Event()
        self.inside = 0
        self.app = FastAPI(openapi_url=None)
        self.app.add_middleware(AdmissionMiddleware, limit=LIMIT, metrics=self.metrics)
        self.app.get("/wait/{number}")(self.wait)
        self.app.get("/missing")(self.missing)
        self.app.get("/broken")(self.broken)

    async def wait(self, number: int) -> int:
        self.inside += 1
        await self.go.wait()
        self.inside -= 1
        return number

    async def missing(self) -> None:
        raise HTTPException(404)

    async def broken(self) -> None:
        raise ZeroDivisionError

    def client(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://door")

    def served(self, route: str, status: int) -> float:
        labels = {LABEL_ROUTE: route, LABEL_STATUS: str(status)}
        return sample(self.metrics.registry, f"{SERVER_DURATION}_count", **labels)


@pytest.fixture
async def door() -> Door:
    return Door()


async def test_load_above_the_limit_is_shed_at_once(door: Door) -> None:
    async with door.client() as client:
        inside = [asyncio.create_task(client.get(f"/wait/{n}")) for n in range(LIMIT)]
        await eventually(lambda: door.inside == LIMIT)
        shed = await client.get("/wait/9")
        door.go.set()
        answers = await asyncio.gather(*inside)
    assert shed.status_code == 503
    assert [answer.json() for answer in answers] == list(range(LIMIT))
    assert sample(door.metrics.registry, SHED_REQUESTS) == 1
    assert door.served("/wait/{number}", 200) == LIMIT


async def test_places_come_free_again(door: Door) -> None:
    door.go.set()
    async with door.client() as client:
        for path in ("/wait/1", "/missing", "/broken", "/nowhere") * LIMIT:
            assert (await client.get(path)).status_code != 503


async def test_calls_are_counted_by_route_and_status(door: Door) -> None:
    door.go.set()
    async with door.client() as client:
        for path in ("/wait/1", "/wait/2", "/missing", "/broken", "/nowhere"):
            await client.get(path)
    assert door.served("/wait/{number}", 200) == 2
    assert door.served("/missing", 404) == 1
    assert door.served("/broken", 500) == 1
    assert door.served(UNROUTED, 404) == 1


async def test_an_answer_that_streams_holds_no_place() -> None:
    metrics, go = Metrics(), asyncio.Event()

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await go.wait()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    limited = AdmissionMiddleware(stream, 1, metrics)
    statuses: list[int] = []

    async def call() -> None:
        async def send(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                statuses.append(int(str(message["status"])))

        await limited({"type": "http"}, asyncio.Event().wait, send)  # type: ignore[arg-type]

    calls = [asyncio.create_task(call()) for _ in range(2)]
    await eventually(lambda: len(statuses) == 2)
    assert statuses == [200, 200]
    go.set()
    await asyncio.gather(*calls)
