"""The daemon as its own process: it heals at its end, and the next one heals after a kill."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from chaos.daemon.app import BROKERS_VARIABLE
from chaos.daemon.outages import HealReason
from services.runtime.server import Phases, PortServer, bind
from tests.chaos.daemon.api import (
    CUT,
    LOOPBACK,
    NAME,
    NO_END,
    TIMEOUT_S,
    Api,
    until,
)
from tests.chaos.fake_broker import FakeBroker

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def over_http(broker: FakeBroker) -> AsyncIterator[str]:
    """The fake broker at a real port."""
    app = FastAPI()

    @app.api_route("/{path:path}", methods=["GET", "POST"])
    async def answer(request: Request) -> Response:
        asked = httpx.Request(request.method, str(request.url), content=await request.body())
        answered = await broker.answer(asked)
        return Response(answered.content, answered.status_code, media_type="application/json")

    started, stop = asyncio.Event(), asyncio.Event()
    bound = bind(LOOPBACK, 0)
    server = PortServer(app, bound, Phases(started.set, stop.wait))
    task = asyncio.create_task(server.serve_bound())
    await started.wait()
    yield f"http://{LOOPBACK}:{bound.getsockname()[1]}"
    stop.set()
    await task


@asynccontextmanager
async def process(broker_url: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, Api]]:
    """The app as it runs in its container, healthy."""
    arguments = ("-m", "chaos.daemon.app", "--host", LOOPBACK, "--port", "0")
    chaos = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        env=os.environ | {BROKERS_VARIABLE: f"http://{LOOPBACK}:1, {broker_url}"},
        stderr=asyncio.subprocess.PIPE,
    )
    assert chaos.stderr is not None
    try:
        async with asyncio.timeout(TIMEOUT_S):
            while not (address := re.search(rb"running on (\S+)", await chaos.stderr.readline())):
                assert not chaos.stderr.at_eof()
        async with httpx.AsyncClient(base_url=address[1].decode(), trust_env=False) as http:
            await until(Api(http).healthy)
            yield chaos, Api(http)
    finally:
        if chaos.returncode is None:
            chaos.kill()
        await chaos.communicate()


async def test_the_process_heals_on_sigterm(broker: FakeBroker) -> None:
    async with over_http(broker) as url, process(url) as (chaos, api):
        await api.impair(NAME, CUT | NO_END)
        assert not broker.states[NAME].on_mesh
        chaos.send_signal(signal.SIGTERM)
        async with asyncio.timeout(TIMEOUT_S):
            await chaos.wait()
        assert broker.states[NAME].on_mesh


async def test_outages_of_a_killed_daemon_are_healed_by_the_next(broker: FakeBroker) -> None:
    async with over_http(broker) as url:
        async with process(url) as (chaos, api):
            await api.impair(NAME, CUT | NO_END)
            chaos.kill()
            await chaos.wait()
        assert not broker.states[NAME].on_mesh
        async with process(url) as (_, api):
            assert broker.states[NAME].on_mesh
            assert (await api.counted())[HealReason.LEFT_OVER] == 1.0
