"""A real engine, the image built on it, and containers that are gone after each test.

Where no engine answers the tests fail: a suite that skips by itself proves nothing.
"""

import contextlib
import logging
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import docker
import pytest
from docker.errors import NotFound
from docker.models.containers import Container
from docker.models.images import Image

from deploy.local_stack import build, stack
from services.process import COLLECTOR_VARIABLE
from sre_autopilot.world.stack import HOST_ALIAS, LABEL_PROJECT
from tests.architecture.source import ROOT
from tests.live.whole_stack import Collector, Game, wait_until

TAG = "sre-env:latest"
LABEL = "sre-env.live-test"
API_TIMEOUT_S = 60
BUILD_TIMEOUT_S = 900
LOG_LINES = 60
MEASURED = pytest.StashKey[dict[str, str]]()

logger = logging.getLogger(__name__)

Start = Callable[..., Container]
Report = Callable[[str, str], None]


def ask_docker(*arguments: str) -> str:
    """What the command line's client says; raises subprocess.SubprocessError, OSError."""
    asked = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=API_TIMEOUT_S, check=True
    )
    return asked.stdout.strip()


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    """The engine that `docker` talks to, of whichever context."""
    try:
        ask_docker("version")
        host = ask_docker("context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or error
        pytest.fail(f"no Docker engine answers, run `make engine`: {said}", pytrace=False)
    environ = {**os.environ, "DOCKER_HOST": host}
    with contextlib.closing(docker.from_env(timeout=API_TIMEOUT_S, environment=environ)) as client:
        yield client


@pytest.fixture(scope="session")
def image(engine: docker.DockerClient) -> Image:
    """Built as the README says, by the engine's own builder or BuildKit, whichever is there."""
    built = subprocess.run(
        ["docker", "build", "-t", TAG, "."],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT_S,
        check=False,
    )
    assert built.returncode == 0, built.stdout[-4000:] + built.stderr[-4000:]
    return engine.images.get(TAG)


@pytest.fixture
def start(engine: docker.DockerClient, image: Image) -> Iterator[Start]:
    """Starts containers of the image; what they said is shown when the test fails."""
    made: list[Container] = []

    def run(**options: Any) -> Container:
        container = engine.containers.create(image.id, labels=[LABEL], **options)
        made.append(container)
        container.start()
        return container

    try:
        yield run
    finally:
        for container in made:
            with contextlib.suppress(NotFound):
                logger.info("%s", container.logs(tail=LOG_LINES).decode(errors="replace"))
                container.remove(force=True, v=True)


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    """A receiver of OTLP on this machine; its address stands in the environment."""
    collector = Collector()
    with collector.listening() as port, pytest.MonkeyPatch.context() as environ:
        environ.setenv(COLLECTOR_VARIABLE, f"http://{HOST_ALIAS}:{port}")
        yield collector


@pytest.fixture(scope="session")
def game(engine: docker.DockerClient, collector: Collector, report: Report) -> Iterator[Game]:
    """The whole stack, up by one command from images of this checkout; nothing is left of it."""
    build()
    began_s = time.monotonic()
    with stack(with_server=True) as up:
        report("stack up after", f"{time.monotonic() - began_s:.1f} s")
        wait_until(lambda: up.healthy)
        report("all of it healthy after", f"{time.monotonic() - began_s:.1f} s")
        with contextlib.closing(Game(up, collector)) as game:
            yield game
        began_s = time.monotonic()
    report("stack down after", f"{time.monotonic() - began_s:.1f} s")
    label = f"--filter=label={LABEL_PROJECT}={up.project}"
    for kind in ("container", "network", "volume"):
        left = ask_docker(kind, "ls", "--quiet", label, *(["--all"] * (kind == "container")))
        assert not left, f"{kind}s of {up.project} are left: {left}"


@pytest.fixture(scope="session")
def report(pytestconfig: pytest.Config) -> Report:
    """Keeps a measured value for the summary at the end."""
    return pytestconfig.stash.setdefault(MEASURED, {}).__setitem__


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    measured = config.stash.get(MEASURED, {})
    if measured:
        terminalreporter.section("measured")
    for name, value in measured.items():
        terminalreporter.write_line(f"{name}: {value}")
