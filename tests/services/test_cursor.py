"""Streams from a database: each holds a connection exactly as long as it is open."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest

from services.runtime.catalogue import ITEM_COUNT, STOCK, USER_COUNT
from services.runtime.cursor import CURSOR_PATHS
from sre_autopilot.world.topology import DATABASES, POOL_SIZE, Service
from tests.services.conftest import MakeRuntime
from tests.services.databases import Database, serving
from tests.services.neighbours import eventually

pytestmark = pytest.mark.anyio

ROWS = {Service.USER_DB: USER_COUNT, Service.INVENTORY_DB: ITEM_COUNT}


@pytest.fixture(params=DATABASES)
async def database(
    request: pytest.FixtureRequest, make_runtime: MakeRuntime, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Database]:
    """A database that is less patient than the world's: its patience is the pool's test."""
    monkeypatch.setattr("services.runtime.pool.POOL_CHECKOUT_TIMEOUT_S", 0.1)
    async with serving(make_runtime(f"{request.param}-0")) as database:
        yield database


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=database.address, trust_env=False) as client:
        yield client


@pytest.fixture
def service(database: Database) -> Service:
    assert database.runtime.spec.service is not None
    return database.runtime.spec.service


async def test_every_row_is_one_line(service: Service, client: httpx.AsyncClient) -> None:
    answer = await client.get(CURSOR_PATHS[service])
    rows = [json.loads(line) for line in answer.iter_lines()]
    assert [row["id"] for row in rows] == list(range(ROWS[service]))


async def test_a_limit_is_a_page(service: Service, client: httpx.AsyncClient) -> None:
    answer = await client.get(CURSOR_PATHS[service], params={"limit": 3})
    assert len(answer.text.splitlines()) == 3


async def test_a_stream_gives_its_connection_back_at_its_end(
    service: Service, database: Database, client: httpx.AsyncClient
) -> None:
    await client.get(CURSOR_PATHS[service])
    assert database.pool.checked_out() == 0


async def test_a_followed_stream_holds_its_connection_until_the_caller_goes(
    service: Service, database: Database, client: httpx.AsyncClient
) -> None:
    async with client.stream("GET", f"{CURSOR_PATHS[service]}?limit=1&follow=true") as stream:
        lines = stream.aiter_lines()
        assert json.loads(await anext(lines))["id"] == 0
        assert database.pool.checked_out() == 1
    await eventually(lambda: database.pool.checked_out() == 0)


async def test_no_stream_begins_without_a_connection(
    service: Service, database: Database, client: httpx.AsyncClient
) -> None:
    async with AsyncExitStack() as taken:
        for _ in range(POOL_SIZE):
            await taken.enter_async_context(database.pool.connection())
        answer = await client.get(CURSOR_PATHS[service])
    assert answer.status_code == 503
    assert (await client.get(CURSOR_PATHS[service])).status_code == 200


async def test_items_are_paged_by_id(make_runtime: MakeRuntime) -> None:
    async with (
        serving(make_runtime(f"{Service.INVENTORY_DB}-0")) as database,
        httpx.AsyncClient(base_url=database.address, trust_env=False) as client,
    ):
        answer = await client.get("/items", params={"after": 41, "limit": 2})
    rows = [json.loads(line) for line in answer.iter_lines()]
    assert [row["id"] for row in rows] == [42, 43]
    assert {row["stock"] for row in rows} == {STOCK}
