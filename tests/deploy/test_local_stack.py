"""A stack of one's own, over a scripted `docker` that writes down its command lines."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.local_stack import (
    COMPOSE_FILE,
    PREFIX_OF_OURS,
    Stack,
    docker,
    main,
    stack,
)
from orchestrator.backends.docker.backend import DockerBackend
from orchestrator.errors import StackUnavailable
from orchestrator.settings import Settings
from services.runtime.spec import LOOPBACK
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.stack import (
    BROKER_PORT,
    CHAOS_PORT,
    LABEL_CONTAINER,
    LABEL_PROJECT,
    PROMETHEUS_PORT,
    REPLICAS,
    Network,
    Part,
)
from sre_autopilot.world.topology import Service

FAKE = """#!{python}
import json, os, pathlib, sys
folder, asked = pathlib.Path(__file__).parent, " ".join(sys.argv[1:])
environ = {{k: v for k, v in os.environ.items() if k.startswith("SRE_")}}
with (folder / "asked").open("a") as asked_file:
    print(json.dumps([sys.argv[1:], environ]), file=asked_file)
for start, (status, answer) in json.loads((folder / "answers").read_text()).items():
    if asked.startswith(start):
        (sys.stderr if status else sys.stdout).write(answer)
        sys.exit(status)
"""
NUMBER = 7
OURS = f"{PREFIX_OF_OURS}{os.getpid()}-{NUMBER}"
DB = str(ReplicaId(Service.USER_DB, 0))
ADDRESS = "172.30.0.9"


class Docker:
    """What was asked, and what is answered: by the start of the command, else nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.answer(
            {
                "info": "0,1",
                "ps --all --quiet": "c0ffee",
                "inspect": _inspected(),
            }
        )

    def answer(self, answers: dict[str, str], status: int = 0) -> None:
        path = self._folder / "answers"
        earlier = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**earlier, **{k: (status, v) for k, v in answers.items()}}))

    def asked(self, *words: str) -> list[tuple[list[str], dict[str, str]]]:
        """Arguments and SRE_ variables of the commands that have these words."""
        path = self._folder / "asked"
        lines = path.read_text().splitlines() if path.exists() else []
        commands = [(argv, environ) for argv, environ in map(json.loads, lines)]
        return [command for command in commands if {*words} <= {*command[0]}]


def _inspected(**ports: Any) -> str:
    networks = {f"{OURS}_{network}": {"IPAddress": ADDRESS} for network in Network}
    return json.dumps([{"NetworkSettings": {"Networks": networks, "Ports": ports}}])


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    script = tmp_path / "docker"
    script.write_text(FAKE.format(python=sys.executable))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr("secrets.randbelow", lambda _below: NUMBER)
    return Docker(tmp_path)


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_container_is_found_by_its_labels(engine: Docker) -> None:
    up = Stack(OURS, {})
    assert up.address(DB, Network.MESH) == ADDRESS
    ((argv, _),) = engine.asked("ps")
    labels = {f"--filter=label={LABEL_PROJECT}={OURS}", f"--filter=label={LABEL_CONTAINER}={DB}"}
    assert labels <= set(argv)
    assert engine.asked("inspect")[0][0][-1] == "c0ffee"


def test_a_missing_container_is_named(engine: Docker) -> None:
    engine.answer({"ps --all --quiet": ""})
    with pytest.raises(StackUnavailable, match=f"{OURS} has no container {DB}"):
        Stack(OURS, {}).inspect(DB)


def test_a_published_port_has_an_url_and_another_says_so(engine: Docker) -> None:
    up = Stack(OURS, {})
    with pytest.raises(StackUnavailable, match=f"does not publish {Part.PROMETHEUS}"):
        up.url(Part.PROMETHEUS)
    published = {f"{PROMETHEUS_PORT}/tcp": [{"HostIp": LOOPBACK, "HostPort": "49153"}]}
    engine.answer({"inspect": _inspected(**published)})
    assert up.url(Part.PROMETHEUS) == f"http://{LOOPBACK}:49153"


def test_containers_and_networks_are_counted(engine: Docker) -> None:
    engine.answer({"container ls --all": "a\nb\nc\n", "network ls": "n\n"})
    up = Stack(OURS, {})
    assert (up.count("container"), up.count("network")) == (3, 1)
    engine.answer({"ps --filter": "Up 5 seconds (healthy)\nUp 1 second\n"})
    assert up.statuses() == ["Up 5 seconds (healthy)", "Up 1 second"]


@pytest.mark.parametrize(
    ("statuses", "healthy"),
    [
        ("Up 5 seconds (healthy)\nUp 1 second\n", True),
        ("Up 5 seconds (healthy)\nUp 1 second (health: starting)\n", False),
        ("Up 5 seconds (unhealthy)\nUp 1 second\n", False),
        ("", False),
    ],
)
def test_stack_is_healthy_once_all_that_check_their_health_are(
    engine: Docker, statuses: str, healthy: bool
) -> None:
    engine.answer({"ps --filter": statuses})
    assert Stack(OURS, {}).healthy is healthy


def test_the_error_holds_the_message_of_docker(engine: Docker) -> None:
    engine.answer({"version": "Cannot connect to the Docker daemon"}, status=1)
    with pytest.raises(StackUnavailable, match="docker version: Cannot connect to the Docker"):
        docker("version")


def test_without_docker_there_is_no_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StackUnavailable, match="docker ps"), stack():
        pytest.fail("it is up")


def test_a_stack_without_a_server_can_be_played_in_from_here(engine: Docker) -> None:
    with stack() as up:
        settings = Settings.from_env(up.environ)
        ((created, _),) = engine.asked("compose", "create")
        ((argv, environ),) = engine.asked("compose", "up")
        assert not engine.asked("compose", "down")
    assert argv[1:5] == ["--project-name", OURS, "--file", str(COMPOSE_FILE)]
    assert set(map(str, REPLICAS)) < set(created)
    assert Part.TRAFFIC in created and Part.ORCHESTRATOR not in created
    assert argv[-3:] == ["up", "--detach", Part.PROMETHEUS], "standbys are not started"
    assert environ["SRE_CPUSET"] == "0,1"
    assert settings.backend == DockerBackend.name
    assert settings.broker_urls == ",".join([f"http://{ADDRESS}:{BROKER_PORT}"] * 2)
    assert settings.chaos_url == f"http://{ADDRESS}:{CHAOS_PORT}"


def test_cpus_that_are_given_are_taken(engine: Docker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRE_CPUSET", "2-3")
    with stack() as up:
        assert up.environ["SRE_CPUSET"] == "2-3"
    assert not engine.asked("info")


def test_a_stack_with_its_server_is_whole(engine: Docker) -> None:
    with stack(with_server=True) as up:
        token = up.environ["SRE_MESH_TOKEN"]
        assert len(token) > 32
    ((argv, _),) = engine.asked("compose", "up")
    assert argv[-3:] == ["--detach", Part.ORCHESTRATOR, Part.PROMETHEUS]


def fails_to_come_up(engine: Docker) -> None:
    with_files = ["compose", "--project-name", OURS, "--file", str(COMPOSE_FILE)]
    up = " ".join([*with_files, "--profile", "prometheus", "up"])
    engine.answer({up: "no space left"}, status=1)


def has_no_brokers(engine: Docker) -> None:
    engine.answer({"ps --all --quiet": ""})


@pytest.mark.parametrize("fails", [fails_to_come_up, has_no_brokers])
def test_a_stack_that_came_up_in_part_is_taken_down(
    engine: Docker, fails: Callable[[Docker], None]
) -> None:
    fails(engine)
    with pytest.raises(StackUnavailable), stack():
        pytest.fail("it is up")
    ((argv, _),) = engine.asked("compose", "down")
    assert OURS in argv and "--volumes" in argv


def test_stacks_of_dead_programs_are_removed_and_no_others(engine: Docker) -> None:
    stale = f"{PREFIX_OF_OURS}{dead_pid()}-1"
    others = (f"{PREFIX_OF_OURS}{os.getppid()}-1", f"{PREFIX_OF_OURS}mine", f"my-{stale}", "")
    engine.answer({"ps --all --format": "\n".join([stale, stale, *others])})
    with stack(with_server=True):
        (argv,) = [argv for argv, _ in engine.asked("compose", "down")]
    assert stale in argv


def test_a_command_runs_in_a_stack_and_its_exit_code_is_ours(
    engine: Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    handlers: dict[int, Callable[..., object]] = {}
    monkeypatch.setattr("signal.signal", handlers.__setitem__)
    code = f"import os; exit(7 if os.environ['SRE_BACKEND'] == {DockerBackend.name!r} else 1)"
    assert main([sys.executable, "-c", code]) == 7
    assert engine.asked("compose", "down")
    with pytest.raises(SystemExit) as ended:
        handlers[signal.SIGTERM]()
    assert ended.value.code == 128 + signal.SIGTERM


def test_no_command_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err
