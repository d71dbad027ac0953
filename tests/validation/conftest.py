"""The tree that the validators get: as a clone has it, without other files of the checkout."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, committed_files
from tests.validation.local_provider import Server

STARTUP_TIMEOUT_S = 30


@pytest.fixture
def package(tmp_path: Path) -> Path:
    root = tmp_path / "package"
    for path in committed_files():
        copy = root / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
        copy.chmod(path.stat().st_mode)
    return root


@pytest.fixture
def server(package: Path) -> Iterator[Server]:
    server = Server(package)
    server.wait(STARTUP_TIMEOUT_S)
    yield server
    server.stop()
