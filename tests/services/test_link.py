"""Silence and dropped answers, at the door of the data port."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from services.runtime.draws import Draws
from services.runtime.link import Link, LinkMiddleware
from tests.services.neighbours import eventually, listening

pytestmark = pytest.mark.anyio

CALLS = 2000


class Worker:
    """An app that counts what it worked on."""

    def __init__(self) -> None:
        self.done = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await Request(scope, receive).body()
            self.done += 1
            await JSONResponse({"done": self.done})(scope, receive, send)


class WatchedLink(Link):
    """A link that counts the calls that come in."""

    asked = 0

    def silences_incoming(self) -> bool:
        self.asked += 1
        return super().silences_incoming()


@pytest.fixture
def link() -> WatchedLink:
    return WatchedLink(Draws(3))


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, timeout=5.0) as client:
        yield client


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 1.0])
def test_shares_are_shares(link: WatchedLink, share: float) -> None:
    link.partitioned = link.drop_ratio = share
    for asked in (link.silences_incoming, link.silences_outgoing, link.drops):
        hit = sum(asked() for _ in range(CALLS)) / CALLS
        assert hit == pytest.approx(share, abs=0.04)


def test_partition_and_drop_are_independent(link: WatchedLink) -> None:
    link.partitioned = link.drop_ratio = 0.5
    both = sum(link.silences_incoming() and link.drops() for _ in range(CALLS)) / CALLS
    assert both == pytest.approx(0.25, abs=0.04)


async def test_a_well_line_answers(
    link: WatchedLink, worker: Worker, client: httpx.AsyncClient
) -> None:
    async with listening(LinkMiddleware(worker, link)) as address:
        assert (await client.get(address)).json() == {"done": 1}


async def test_a_silenced_call_never_reaches_the_app(
    link: WatchedLink, worker: Worker, client: httpx.AsyncClient
) -> None:
    link.partitioned = 1.0
    async with listening(LinkMiddleware(worker, link)) as address:
        with pytest.raises(httpx.ReadTimeout):
            await client.get(address, timeout=0.1)
    assert worker.done == 0


async def test_a_silenced_call_stays_silent_when_the_line_heals(
    link: WatchedLink, worker: Worker, client: httpx.AsyncClient
) -> None:
    link.partitioned = 1.0
    async with listening(LinkMiddleware(worker, link)) as address:
        silenced = asyncio.create_task(client.get(address, timeout=0.3))
        await eventually(lambda: link.asked == 1)
        link.partitioned = 0.0
        assert (await client.get(address)).json() == {"done": 1}
        with pytest.raises(httpx.ReadTimeout):
            await silenced
    assert worker.done == 1


async def test_a_dropped_call_is_worked_on_and_not_answered(
    link: WatchedLink, worker: Worker, client: httpx.AsyncClient
) -> None:
    link.drop_ratio = 1.0
    async with listening(LinkMiddleware(worker, link)) as address:
        with pytest.raises(httpx.ReadTimeout):
            await client.post(address, json={}, timeout=0.1)
        assert worker.done == 1
        link.drop_ratio = 0.0
        assert (await client.get(address)).json() == {"done": 2}
