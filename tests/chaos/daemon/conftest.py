"""A fake broker, and the daemon over it."""

from collections.abc import AsyncIterator

import pytest

from tests.chaos.daemon.api import Api, serving, until
from tests.chaos.fake_broker import FakeBroker


@pytest.fixture
def broker() -> FakeBroker:
    return FakeBroker()


@pytest.fixture
async def api(broker: FakeBroker) -> AsyncIterator[Api]:
    async with serving(broker) as api:
        await until(api.healthy)
        yield api
