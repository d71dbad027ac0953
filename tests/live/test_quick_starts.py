"""The quick starts that need a server, run as they stand on real processes."""

import re
from collections.abc import Iterator

import pytest

from tests.docs.documents import Fence
from tests.docs.test_quick_starts import BLOCKS, SERVER_COMMANDS, run, served

pytestmark = pytest.mark.live

PROCESSES = {"SRE_BACKEND": "process", "SRE_STEP_SECONDS": "0.12", "SRE_MAX_SESSIONS": "2"}
FAILURE = re.compile(r"\"error\"|success=false steps=0")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    (command,) = SERVER_COMMANDS
    with served(command, PROCESSES) as where:
        yield where


@pytest.mark.parametrize("fence", [pytest.param(fence, id=name) for name, fence in BLOCKS])
def test_quick_start_plays_on_processes(fence: Fence, address: str) -> None:
    printed = run(fence, address)
    assert printed and not FAILURE.search(printed)
