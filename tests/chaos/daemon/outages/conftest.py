"""A world that is well again at the end of every test."""

from collections.abc import AsyncIterator

import pytest

from tests.chaos.daemon.outages.world import World
from tests.chaos.fake_broker import JumpingLoop


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": JumpingLoop}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    world.broker.down, world.broker.refuses = False, frozenset()
    await world.outages.aclose()
    assert not world.ill
    assert not world.outages.impaired
