"""The broker's app over an engine on paper."""

import pytest
from starlette.testclient import TestClient

from orchestrator.broker.app import create_app
from tests.orchestrator.broker.fake_docker import PaperEngine


@pytest.fixture
def engine() -> PaperEngine:
    return PaperEngine.of()


@pytest.fixture
def client(engine: PaperEngine) -> TestClient:
    """Without the app's lifespan: no controller runs."""
    return TestClient(create_app(engine))
