"""A separate stack of containers that programs on the host play in: starts it, and removes it.

`python -m deploy.local_stack COMMAND...` runs a command whose settings name a fresh stack: an
evaluation, a benchmark, the tests. Linux only, because the host must reach its containers.
"""

import json
import os
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from deploy.compose import PROMETHEUS_PROFILE
from deploy.inspected import Containers
from orchestrator.backends.docker.backend import DockerBackend
from orchestrator.errors import StackUnavailable
from orchestrator.settings import PREFIX
from sre_autopilot.world.stack import (
    BROKER_PORT,
    CHAOS_PORT,
    LABEL_CONTAINER,
    LABEL_PROJECT,
    PROMETHEUS_PORT,
    REPLICAS,
    SERVER_PORT,
    TOKEN_VARIABLE,
    Network,
    Part,
)

ROOT = Path(__file__).parents[1]
COMPOSE_FILE = ROOT / "docker-compose.yml"
COUNT_FILES = """
import os
others = {p for p in os.listdir("/proc") if p.isdigit()} - {str(os.getpid())}
print(sum(len(os.listdir(f"/proc/{p}/fd")) for p in others))
"""
_TERMINATED = 128 + signal.SIGTERM
PREFIX_OF_OURS = "sre-stack-"
COMMAND_TIMEOUT_S = 1200.0
"""Images are built in it."""
GRACE_S = 3
WITHOUT_SERVER = (*map(str, REPLICAS), *(part for part in Part if part is not Part.ORCHESTRATOR))


@dataclass(frozen=True, slots=True)
class Stack:
    """A running stack. Programs on the host play in it with the settings of `environ`."""

    project: str
    environ: Mapping[str, str]

    def address(self, name: str, network: Network) -> str:
        """A running container's address on a network of the stack. Raises StackUnavailable."""
        networks = self.inspect(name)["NetworkSettings"]["Networks"]
        return str(networks[f"{self.project}_{network}"]["IPAddress"])

    def url(self, part: Part) -> str:
        """URL of the port that a running part publishes on this host. Raises StackUnavailable."""
        port = {Part.ORCHESTRATOR: SERVER_PORT, Part.PROMETHEUS: PROMETHEUS_PORT}[part]
        ports = self.inspect(part)["NetworkSettings"]["Ports"].get(f"{port}/tcp")
        if not ports:
            raise StackUnavailable(f"{self.project} does not publish {part}")
        return f"http://{ports[0]['HostIp']}:{ports[0]['HostPort']}"

    def inspect(self, name: str) -> dict[str, Any]:
        """What `docker inspect` prints of a container, running or not. Raises StackUnavailable."""
        labels = {LABEL_PROJECT: self.project, LABEL_CONTAINER: name}
        filters = [f"--filter=label={key}={value}" for key, value in labels.items()]
        ids = docker("ps", "--all", "--quiet", *filters).split()
        if not ids:
            raise StackUnavailable(f"{self.project} has no container {name}")
        (container,) = json.loads(docker("inspect", ids[0]))
        return dict(container)

    def containers(self) -> Containers:
        """All of them, running or not. Raises StackUnavailable."""
        label = f"--filter=label={LABEL_PROJECT}={self.project}"
        ids = docker("ps", "--all", "--quiet", label).split()
        inspected = json.loads(docker("inspect", *ids)) if ids else []
        return {raw["Config"]["Labels"][LABEL_CONTAINER]: raw for raw in inspected}

    def statuses(self) -> list[str]:
        """The status of each running container, such as "Up 5 seconds (healthy)"."""
        return self._running("{{.Status}}")

    @property
    def healthy(self) -> bool:
        """Whether it runs and every container that has a health check has passed it."""
        unsure = ("(health: starting)", "(unhealthy)")
        statuses = self.statuses()
        return bool(statuses) and not any(status.endswith(unsure) for status in statuses)

    def down(self) -> None:
        """Removes containers and networks of the stack. Raises StackUnavailable."""
        # One by one, the last that was made first: where many leave a network at once, an engine
        # (seen with 20.10) may miscount them and keep the network until it is restarted itself.
        for container in self._running("{{.ID}}"):
            docker("stop", f"--time={GRACE_S}", container)
        self.compose("down", "--volumes")

    def _running(self, what: str) -> list[str]:
        label = f"--filter=label={LABEL_PROJECT}={self.project}"
        return docker("ps", label, "--format", what).splitlines()

    def count(self, what: str) -> int:
        """How many containers, or networks, the stack has, running or not."""
        everything = ("--all",) if what == "container" else ()
        label = f"--filter=label={LABEL_PROJECT}={self.project}"
        return len(docker(what, "ls", *everything, "--quiet", label).split())

    def open_files(self) -> int:
        """Open files of the processes in all containers that run Python."""
        named = self._running(f'{{{{.ID}}}} {{{{.Label "{LABEL_CONTAINER}"}}}}')
        running = [line.split() for line in named]
        return sum(
            int(docker("exec", container, "python", "-c", COUNT_FILES))
            for container, name in running
            if name != Part.PROMETHEUS
        )

    def compose(self, *arguments: str) -> str:
        return docker(
            "compose", "--project-name", self.project, "--file", str(COMPOSE_FILE),
            "--profile", PROMETHEUS_PROFILE, *arguments,
            environ=self.environ,
        )  # fmt: skip


def docker(*arguments: str, environ: Mapping[str, str] | None = None) -> str:
    """Standard output of a docker command. Raises StackUnavailable with its standard error."""
    try:
        ran = subprocess.run(
            ["docker", *arguments],
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=True,
            env={**os.environ, **(environ or {})},
        )
    except subprocess.CalledProcessError as error:
        raise StackUnavailable(f"docker {arguments[0]}: {error.stderr.strip()[-2000:]}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StackUnavailable(f"docker {arguments[0]}: {error}") from error
    return ran.stdout.strip()


def build() -> None:
    """Builds the images of this checkout that have changed. Raises StackUnavailable."""
    Stack(f"{PREFIX_OF_OURS}images", {}).compose("build")


@contextmanager
def stack(*, with_server: bool = False) -> Iterator[Stack]:
    """A stack under a name, a subnet and ports of its own, removed at the end.

    Raises StackUnavailable.

    Without a server the host plays in it: one program, or one environment, at a time.
    """
    remove_stale()
    number = secrets.randbelow(50 * 250)
    project = f"{PREFIX_OF_OURS}{os.getpid()}-{number}"
    environ = {
        f"{PREFIX}PORT": "0",
        f"{PREFIX}PROMETHEUS_PORT": "0",
        f"{PREFIX}MESH_NETWORK": f"10.{200 + number % 50}.{number // 50}",
        TOKEN_VARIABLE: secrets.token_urlsafe(),
        f"{PREFIX}CPUSET": os.environ.get(f"{PREFIX}CPUSET") or cpus(),
    }
    up = Stack(project, environ)
    try:
        # Standbys are created and not started: nothing that is started waits for one.
        up.compose("create", *(() if with_server else WITHOUT_SERVER))
        up.compose("up", "--detach", *([Part.ORCHESTRATOR] if with_server else []), Part.PROMETHEUS)
        if not with_server:
            environ |= _way_in(up)
        yield up
    finally:
        up.down()


def remove_stale() -> None:
    """Removes stacks whose program has ended without doing so. Raises StackUnavailable."""
    label = f'{{{{.Label "{LABEL_PROJECT}"}}}}'
    for project in set(docker("ps", "--all", "--format", label).split()):
        owner = re.fullmatch(rf"{PREFIX_OF_OURS}(\d+)-\d+", project)
        if owner and not psutil.pid_exists(int(owner[1])):
            Stack(project, {}).down()


def cpus() -> str:
    """The CPUs of a stack on this engine. Raises StackUnavailable."""
    return docker("info", "--format", "{{if gt .NCPU 1}}0,1{{else}}0{{end}}")


def _way_in(up: Stack) -> dict[str, str]:
    """The settings with which the host plays in a stack."""
    brokers = (up.address(part, Network.CONTROL) for part in (Part.BROKER, Part.BROKER_STANDBY))
    return {
        f"{PREFIX}BACKEND": DockerBackend.name,
        f"{PREFIX}BROKER_URLS": ",".join(f"http://{address}:{BROKER_PORT}" for address in brokers),
        f"{PREFIX}CHAOS_URL": f"http://{up.address(Part.CHAOS, Network.CONTROL)}:{CHAOS_PORT}",
    }


def main(command: Sequence[str]) -> int:
    """The exit code of `command`, run while a stack is up."""
    if not command:
        sys.stderr.write("usage: python -m deploy.local_stack COMMAND...\n")
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))
    try:
        build()
        with stack() as up:
            ran = subprocess.run(command, env={**os.environ, **up.environ}, check=False)
    except StackUnavailable as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return ran.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
