"""What an endpoint gets of a call, and what becomes of its answer."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import Depends, FastAPI
from pydantic import BaseModel, Field
from starlette.responses import PlainTextResponse, Response

from services.runtime.mesh_route import MeshRoute

pytestmark = pytest.mark.anyio


class Charge(BaseModel):
    """A body."""

    amount: int = Field(gt=0)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI(openapi_url=None)
    app.router.route_class = MeshRoute

    @app.get("/items/{item}")
    async def read(item: int, after: int = -1, follow: bool = False) -> dict[str, Any]:
        return {"item": item, "after": after, "follow": follow}

    @app.post("/items/{item}")
    async def change(item: int, charge: Charge) -> Charge:
        return Charge(amount=charge.amount + item)

    @app.get("/plain")
    async def plain() -> Response:
        return PlainTextResponse("well", 202)

    @app.get("/many")
    async def many() -> list[Charge]:
        return [Charge(amount=1), Charge(amount=2)]

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        yield client


async def test_path_query_and_defaults_are_read(client: httpx.AsyncClient) -> None:
    assert (await client.get("/items/3")).json() == {"item": 3, "after": -1, "follow": False}
    answer = await client.get("/items/3?after=7&follow=true&other=1")
    assert answer.json() == {"item": 3, "after": 7, "follow": True}
    assert answer.headers["content-type"] == "application/json"


async def test_body_is_read_and_a_model_becomes_json(client: httpx.AsyncClient) -> None:
    assert (await client.post("/items/3", json={"amount": 4})).json() == {"amount": 7}
    assert (await client.get("/many")).json() == [{"amount": 1}, {"amount": 2}]


async def test_body_in_parts_is_read_whole(client: httpx.AsyncClient) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b'{"amo'
        yield b'unt": 4}'

    assert (await client.post("/items/3", content=parts())).json() == {"amount": 7}


async def test_response_passes_as_it_is(client: httpx.AsyncClient) -> None:
    answer = await client.get("/plain")
    assert (answer.status_code, answer.text) == (202, "well")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/items/three", b""),
        ("GET", "/items/3?after=x", b""),
        ("POST", "/items/3", b""),
        ("POST", "/items/3", b"{"),
        ("POST", "/items/3", b'{"amount": 0}'),
        ("POST", "/items/x", b'{"amount": 1}'),
    ],
)
async def test_nonsense_is_a_422_that_says_why(
    client: httpx.AsyncClient, method: str, path: str, body: bytes
) -> None:
    answer = await client.request(method, path, content=body)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["msg"]


def test_endpoint_that_needs_more_is_refused_when_it_is_added() -> None:
    app = FastAPI(openapi_url=None)
    app.router.route_class = MeshRoute

    async def depends(value: int = Depends(lambda: 1)) -> int:
        return value

    def blocks() -> int:
        return 1

    async def two(one: Charge, other: Charge) -> int:
        return one.amount + other.amount

    for endpoint in (depends, blocks, two):
        with pytest.raises(TypeError, match="/x"):
            app.get("/x")(endpoint)
