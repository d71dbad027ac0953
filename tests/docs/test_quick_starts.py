"""The quick starts, run as they stand against a server that is started as the page says.

The server plays in the simulator; tests/live/test_quick_starts.py plays on processes.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from server.server_process import free_port
from sre_autopilot.world.topology import ENTRY
from sre_autopilot.world.vocabulary import DEFAULT_TIERS
from tests.architecture.source import ROOT
from tests.docs.documents import SERVER, Fence, documents
from tests.server.doors import until

BLOCKS = [(doc.name, fence) for doc in documents() for fence in doc.fences if fence.mark == SERVER]
SERVER_COMMANDS = [
    command for doc in documents() for command in re.findall(r"(?m)^uvicorn .+$", doc.text)
]
WRITTEN_ADDRESS, READY_TIMEOUT_S = "localhost:8000", 60.0
SIMULATOR = {"SRE_BACKEND": "simulator", "SRE_MAX_SESSIONS": "8"}


@contextmanager
def served(command: str, variables: Mapping[str, str]) -> Iterator[str]:
    """The address of a server that the command starts, on a free port of the loopback interface."""
    port = str(free_port())
    words = shlex.split(command.replace("0.0.0.0", "127.0.0.1").replace("8000", port))
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=ROOT,
            env={**os.environ, "SRE_METRICS_PORT": "0", **variables},
            stderr=log,
            stdout=log,
        )
        try:
            _wait(f"http://127.0.0.1:{port}", server)
            yield f"localhost:{port}"
        finally:
            server.terminate()
            server.wait(20)


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    def is_ready() -> bool:
        assert server.poll() is None, "the server ended"
        with suppress(httpx.TransportError):
            return client.get("/ready").is_success
        return False

    with httpx.Client(base_url=url, trust_env=False) as client:
        until(is_ready, READY_TIMEOUT_S)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    (command,) = SERVER_COMMANDS
    with served(command, SIMULATOR) as where:
        yield where


def run(fence: Fence, address: str) -> str:
    """Standard output of the block."""
    shell = {"python": [sys.executable, "-c"], "bash": ["bash", "-euo", "pipefail", "-c"]}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    variables = {"PATH": path, "SRE_BASE_URL": f"http://{address}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*shell[fence.language], fence.body.replace(WRITTEN_ADDRESS, address)],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def block(document: str, text: str) -> Fence:
    (fence,) = (fence for name, fence in BLOCKS if name == document and text in fence.body)
    return fence


def test_the_typed_client_plays_a_step(address: str) -> None:
    reward, done, status = run(block("README.md", "SREEnv"), address).split(maxsplit=2)
    assert (reward, done) == ("0.0", "False")
    assert ENTRY in status


def test_the_typed_client_plays_an_episode(address: str) -> None:
    printed = run(block("docs/quickstart.md", "SREEnv"), address)
    assert re.fullmatch(r"score 0\.\d{3}\n", printed)


def test_curl_plays_two_steps(address: str) -> None:
    answers = run(block("docs/quickstart.md", "curl"), address)
    assert answers.count('"observation"') == answers.count("curl") + 3
    assert '"step_count":2' in answers
    assert '"error"' not in answers


def test_inference_plays_every_default_tier(address: str) -> None:
    lines = run(block("README.md", "inference"), address).splitlines()
    ends = [line for line in lines if line.startswith("[END]")]
    assert len(ends) == len(DEFAULT_TIERS)
    assert all(re.match(r"\[(START|STEP|END)\] ", line) for line in lines)


def test_inference_writes_the_lines_that_its_page_shows(address: str) -> None:
    (page,) = (doc for doc in documents() if doc.name == "docs/inference.md")
    (lines,) = (fence.body for fence in page.fences if fence.body.startswith("[START]"))
    (command,) = re.findall("`(python inference.py --policy belief .*?)`", page.text)
    assert run(Fence(SERVER, "bash", command), address) == lines


def test_every_block_for_a_server_is_run() -> None:
    assert len(BLOCKS) == 4
