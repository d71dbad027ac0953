"""What every test shares: the event loop that async tests run on, and who gives way to whom."""

import os

import pytest

LIVE_MESH = "contract"
NICE = 19


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, as the services do."""
    return "asyncio"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first: a worker takes whole files."""
    items.sort(key=lambda item: LIVE_MESH not in item.path.parts)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """The contract is about time: beside it, a worker with other tests gives way, for good."""
    beside = "PYTEST_XDIST_WORKER" in os.environ and LIVE_MESH not in item.path.parts
    if beside and os.nice(0) < NICE:
        os.nice(NICE)
