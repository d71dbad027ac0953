"""The README's docker commands, as they stand but for detaching and the port of the host."""

import json
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from docker.models.images import Image

from tests.docs.documents import commands
from tests.live.conftest import TAG, ask_docker
from tests.server.doors import until

pytestmark = pytest.mark.live

DOCKER = [words[1:] for name, words in commands() if name == "README.md" and words[0] == "docker"]
RUNS = [words for words in DOCKER if words[0] == "run"]
ASK = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8000/health').read().decode())"
READY_TIMEOUT_S = 60.0


@contextmanager
def running(words: list[str]) -> Iterator[str]:
    """The container's id; the first port that is free on the host's loopback interface."""
    published = ["127.0.0.1::8000" if word == "8000:8000" else word for word in words[1:]]
    container = ask_docker("run", "--detach", *published)
    try:
        yield container
    finally:
        ask_docker("rm", "--force", container)


def test_the_image_is_built_by_the_documented_command(image: Image) -> None:
    assert [words for words in DOCKER if words[0] == "build"] == [["build", "-t", TAG, "."]]
    assert TAG in image.tags


@pytest.mark.parametrize("words", RUNS, ids=shlex.join)
def test_a_container_of_the_readme_gets_healthy(image: Image, words: list[str]) -> None:
    assert len(RUNS) >= 2
    with running(words) as container:

        def is_healthy() -> bool:
            logs = ask_docker("inspect", "--format", "{{.State.Running}}", container)
            assert logs == "true", "it ended"
            try:
                answer = ask_docker("exec", container, "python", "-c", ASK)
            except subprocess.CalledProcessError:
                return False
            return bool(json.loads(answer) == {"status": "healthy"})

        until(is_healthy, READY_TIMEOUT_S)
