"""The quick starts of the README, run as they stand against the server that it tells to start."""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from server.server_process import free_port
from sre_autopilot.world.vocabulary import DEFAULT_TIERS
from tests.architecture.source import ROOT
from tests.docs.documents import SERVER, Fence, document
from tests.server.doors import until

README = document("README.md")
BLOCKS = [fence for fence in README.fences if fence.mark == SERVER]
SERVER_COMMANDS = re.findall(r"(?m)^uvicorn .+$", README.text)
THEIRS, READY_TIMEOUT_S = "localhost:8000", 60.0
QUICK = {"SRE_STEP_SECONDS": "0.12", "SRE_METRICS_PORT": "0"}


@contextmanager
def served(command: str) -> Iterator[str]:
    """Runs the command on a free port of the loopback interface."""
    port = str(free_port())
    words = shlex.split(command.replace("0.0.0.0", "127.0.0.1").replace("8000", port))
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(
            [sys.executable, "-m", *words], cwd=ROOT, env=os.environ | QUICK, stderr=log, stdout=log
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
def where() -> Iterator[str]:
    (command,) = SERVER_COMMANDS
    with served(command) as address:
        yield address


def run(fence: Fence, where: str) -> str:
    shell = {"python": [sys.executable, "-c"], "bash": ["bash", "-euo", "pipefail", "-c"]}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [*shell[fence.language], fence.body.replace(THEIRS, where)],
        cwd=ROOT,
        env=os.environ | {"PATH": path, "SRE_BASE_URL": f"http://{where}", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_typed_client(where: str) -> None:
    (fence,) = (fence for fence in BLOCKS if fence.language == "python")
    reward, done, status = run(fence, where).split(maxsplit=2)
    assert (reward, done) == ("0.0", "False")
    assert "api_gateway" in status


def test_curl(where: str) -> None:
    (fence,) = (fence for fence in BLOCKS if "curl" in fence.body)
    answers = run(fence, where)
    assert answers.count('"observation"') == answers.count("curl") + 3
    assert '"step_count":2' in answers
    assert '"error"' not in answers


def test_inference(where: str) -> None:
    (fence,) = (fence for fence in BLOCKS if "inference" in fence.body)
    lines = run(fence, where).splitlines()
    ends = [line for line in lines if line.startswith("[END]")]
    assert len(ends) == len(DEFAULT_TIERS)
    assert all(re.match(r"\[(START|STEP|END)\] ", line) for line in lines)
