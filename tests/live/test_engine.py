"""`make engine` takes what is there, and `make engine-stop` stops only what it started."""

import os
import subprocess
from pathlib import Path

import docker
import psutil
import pytest

from tests.architecture.source import ROOT

pytestmark = pytest.mark.live

SCRIPT = ROOT / "scripts" / "engine.sh"


def run(verb: str, state: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, verb],
        env={**os.environ, "SRE_ENGINE_STATE": str(state), **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_engine_that_answers_is_taken(engine: docker.DockerClient, tmp_path: Path) -> None:
    started = run("start", tmp_path)
    assert started.returncode == 0, started.stderr
    assert engine.version()["Version"] in started.stdout
    assert list(tmp_path.iterdir()) == []


def test_an_engine_of_another_program_is_left_alone(
    engine: docker.DockerClient, tmp_path: Path
) -> None:
    stopped = run("stop", tmp_path)
    assert (stopped.returncode, stopped.stdout) == (0, "no engine was started here\n")
    assert engine.ping()


@pytest.mark.parametrize("written", ["", "gone", "another"])
def test_a_stale_pid_stops_nothing(written: str, tmp_path: Path) -> None:
    """The number may be another process's by now."""
    with psutil.Popen(["cat"], stdin=subprocess.PIPE) as another:
        pid = {"": "", "gone": "4194305", "another": f"{another.pid}"}[written]
        (tmp_path / "dockerd.pid").write_text(pid)
        stopped = run("stop", tmp_path)
        assert (stopped.returncode, stopped.stderr) == (0, "")
        assert another.poll() is None
        another.stdin.close()


def test_an_engine_that_is_named_and_silent_is_an_error_that_says_what_to_do(
    tmp_path: Path,
) -> None:
    started = run("start", tmp_path, DOCKER_HOST=f"unix://{tmp_path}/none.sock")
    assert started.returncode == 1
    assert "DOCKER_HOST" in started.stderr


def test_a_verb_is_needed(tmp_path: Path) -> None:
    assert "start|stop" in run("", tmp_path).stderr
