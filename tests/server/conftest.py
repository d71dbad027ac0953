"""A server over simulated meshes, by default with its usual settings."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from orchestrator.settings import Settings
from server.app import create_app
from server.schemas import DEFAULT_SESSION
from tests.server.doors import (
    CALL_TIMEOUT_S,
    LEASE_S,
    POLL_S,
    LeaseClock,
    Workshop,
    make_app,
    on_a_port,
    sessions_in_use,
    until,
    without_preparation,
)


@pytest.fixture(autouse=True)
def start_without_preparation() -> Iterator[None]:
    with without_preparation():
        yield


@pytest.fixture
def workshop() -> Workshop:
    return Workshop()


@pytest.fixture
def app(workshop: Workshop) -> FastAPI:
    return make_app(workshop)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def leases(monkeypatch: pytest.MonkeyPatch) -> LeaseClock:
    """The clock of leases, which are checked all the time: no test waits for one, and none is over
    because the machine is slow.
    """
    clock = LeaseClock()
    monkeypatch.setattr("time.time", clock)
    monkeypatch.setattr("server.sessions.CHECKS_PER_LEASE", LEASE_S / POLL_S)
    return clock


@pytest.fixture(scope="module")
def kept_server() -> Iterator[tuple[TestClient, Workshop]]:
    workshop = Workshop()
    with (
        without_preparation(),
        TestClient(make_app(workshop), raise_server_exceptions=False) as client,
    ):
        yield client, workshop


@pytest.fixture
def kept_client(kept_server: tuple[TestClient, Workshop]) -> Iterator[TestClient]:
    """Of one server for a whole file, which every test leaves without a session: to make a server
    takes 0.1 s of CPU, more than most tests of its answers.
    """
    client, _ = kept_server
    yield client
    client.delete(f"/sessions/{DEFAULT_SESSION}")
    until(lambda: sessions_in_use(client) == 0)


@pytest.fixture
def url(app: FastAPI) -> Iterator[str]:
    with on_a_port(app) as url:
        yield url


@pytest.fixture
async def http(url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Over a real socket, for tests that run in a loop."""
    async with httpx.AsyncClient(base_url=url) as client:
        yield client


@pytest.fixture
def caller(url: str) -> Iterator[httpx.Client]:
    """Over a real socket."""
    with httpx.Client(base_url=url, timeout=CALL_TIMEOUT_S) as caller:
        yield caller


@pytest.fixture
def plain_client() -> Iterator[TestClient]:
    """The server as it is started, over real meshes; for what never begins one."""
    with TestClient(create_app(Settings(metrics_port=0))) as client:
        yield client
