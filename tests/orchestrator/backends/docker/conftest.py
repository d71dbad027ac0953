"""A stack in memory, as it is after `docker compose up`, and a mesh in it."""

from collections.abc import AsyncIterator

import pytest

from tests.orchestrator.backends.docker.fake_stack import FakeStack, Mesh


@pytest.fixture
def stack() -> FakeStack:
    return FakeStack()


@pytest.fixture
async def mesh(stack: FakeStack) -> AsyncIterator[Mesh]:
    mesh = Mesh(stack)
    yield mesh
    await mesh.supervisor.aclose()
