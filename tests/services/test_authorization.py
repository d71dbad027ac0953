"""The mesh's token: without it control ports and span receivers answer nobody."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from orchestrator.backends.live.control_client import ControlClient, Target
from orchestrator.errors import ReplicaUnreachable
from services.runtime.authorization import bearer, carries
from services.runtime.control import create_control
from sre_autopilot.world.signals import ControlRoute
from sre_autopilot.world.topology import Service
from tests.services.conftest import TOKEN, MakeRuntime

pytestmark = pytest.mark.anyio

NAME = f"{Service.USER_DB}-0"
WRONG = (None, "", "Bearer", "Bearer ", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xff")
ROUTES = [
    *(("GET", route) for route in (ControlRoute.HEALTH, ControlRoute.METRICS)),
    *(("GET", ControlRoute.RELEASE), ("PUT", ControlRoute.RELEASE), ("POST", ControlRoute.FLUSH)),
    *(("PUT", ControlRoute.ROUTING), ("PUT", ControlRoute.IMPAIRMENTS), ("GET", "/nowhere")),
]


@pytest.fixture
async def control(make_runtime: MakeRuntime) -> AsyncIterator[httpx.AsyncClient]:
    runtime = make_runtime(NAME)
    runtime.spec = replace(runtime.spec, token=TOKEN)
    app = create_control(runtime, asyncio.get_running_loop())
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://control") as client:
        yield client


@pytest.mark.parametrize("header", WRONG)
def test_a_header_without_the_token_does_not_pass(header: str | None) -> None:
    assert not carries(header, TOKEN)
    assert carries(header, None)


@pytest.mark.parametrize("header", [f"Bearer {TOKEN}", f"bearer  {TOKEN} "])
def test_a_header_with_the_token_passes(header: str) -> None:
    assert carries(header, TOKEN)


@pytest.mark.parametrize(("method", "route"), ROUTES)
async def test_a_control_port_answers_nobody_without_the_token(
    control: httpx.AsyncClient, method: str, route: str
) -> None:
    for headers in ({}, bearer("another")):
        answer = await control.request(method, route, headers=headers, json={})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "seed" not in answer.text and NAME not in answer.text
    answer = await control.request(method, route, headers=bearer(TOKEN), json={})
    assert answer.status_code in (200, 404, 422)


async def test_a_client_sends_its_token(control: httpx.AsyncClient) -> None:
    target = Target(NAME, "http://data", "http://control")
    with_token = ControlClient(transport=control._transport, token=TOKEN)
    assert await with_token.seed(target) == 7
    with pytest.raises(ReplicaUnreachable, match="401"):
        await ControlClient(transport=control._transport).seed(target)


async def test_a_token_is_not_printed(make_runtime: MakeRuntime) -> None:
    assert TOKEN not in repr(replace(make_runtime(NAME).spec, token=TOKEN))
