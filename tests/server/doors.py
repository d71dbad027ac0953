"""The server over simulated meshes: in this process, or on a port of its own."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from orchestrator.settings import Settings
from server.app import create_app
from server.connection_limits import uvicorn_limits
from server.workers.place import Place
from sre_autopilot.world.vocabulary import ActionName
from tests.watched_simulator import WatchedSimulator

POLL_S = 0.01
PATIENCE_S = 10.0
CALL_TIMEOUT_S = 30.0
LEASE_S = 60.0
"""Of sessions where the end of a lease is tested: longer than any machine stalls."""
UNLIMITED: dict[str, Any] = {
    "metrics_port": 0,
    "max_sessions": 2,  # by default it is what this machine carries, measured: 1 on a slow one
    "resets_per_minute": 10**9,
    "graded_per_minute": 10**9,
}
WAIT = {"action": ActionName.WAIT}


class LeaseClock:
    """The time of day, and what a test has added to it."""

    def __init__(self) -> None:
        self._real, self._added_s = time.time, 0.0

    def __call__(self) -> float:
        return self._real() + self._added_s

    def passes(self, share: float) -> None:
        """So much of a lease is over at once."""
        self._added_s += share * LEASE_S


class Workshop:
    """Makes meshes of a kind and remembers them; `make` is what the server gets."""

    def __init__(self, kind: type[WatchedSimulator] = WatchedSimulator) -> None:
        self.kind = kind
        self.made: list[WatchedSimulator] = []

    def make(self, _settings: Settings) -> Callable[[], WatchedSimulator]:
        return self._one

    def _one(self) -> WatchedSimulator:
        self.made.append(self.kind())
        return self.made[-1]

    @property
    def running(self) -> list[WatchedSimulator]:
        return [mesh for mesh in self.made if not mesh.closed]


def make_app(workshop: Workshop, *, place: Place | None = None, **settings: Any) -> FastAPI:
    return create_app(Settings(**(UNLIMITED | settings)), workshop.make, place)


@contextlib.contextmanager
def without_preparation() -> Iterator[None]:
    """What a server does before it serves would be done for each of some 350 tests: its schema
    takes 50 ms, and collecting garbage 30 ms, but a second among all of pytest.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("server.app._warm_up", lambda _app: None)
        patch.setattr("server.app._rare_full_collections", contextlib.nullcontext)
        yield


@contextlib.asynccontextmanager
async def in_process(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client on the test's own loop, while the server's lifespan lasts."""
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://server") as client,
    ):
        yield client


@contextlib.contextmanager
def on_a_port(app: ASGIApp, listener: socket.socket | None = None) -> Iterator[str]:
    """The address of a real server, in a thread."""
    listener = listener or socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(
            app, log_config=None, timeout_graceful_shutdown=int(PATIENCE_S), **uvicorn_limits(60.0)
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        until(lambda: server.started)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def until(holds: Callable[[], object], timeout_s: float = PATIENCE_S) -> None:
    """Waits for a condition; fails when it does not come."""
    deadline, pause = time.monotonic() + timeout_s, threading.Event()
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        pause.wait(POLL_S)


async def until_async(holds: Callable[[], object], timeout_s: float = PATIENCE_S) -> None:
    async with asyncio.timeout(timeout_s):
        while not holds():
            await asyncio.sleep(POLL_S)


def sessions_in_use(client: httpx.Client | TestClient) -> int:
    """Of all kinds together."""
    return int(client.get("/ready").json()["sessions"])
