"""An engine on paper: containers that start, stop and lose their network at once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Any

from orchestrator.broker.docker_engine import (
    EXITED,
    RUNNING,
    Container,
    ContainerMissing,
    EngineFailed,
    Listed,
)
from orchestrator.broker.repair import intended
from orchestrator.broker.verbs import VERBS
from sre_autopilot.world.stack import Network

ADDRESS = "10.231.0.10"
CONTROL_ADDRESS = "10.232.0.10"
ATTACHED: Mapping[Network, str | None] = {
    Network.MESH: ADDRESS,
    Network.TELEMETRY: CONTROL_ADDRESS,
}


@dataclass
class PaperEngine:
    """`calls` lists its requests; `broken` names those that fail."""

    containers: dict[str, Container] = field(default_factory=dict)
    stopped: set[str] = field(default_factory=set)
    calls: list[tuple[object, ...]] = field(default_factory=list)
    broken: dict[str, EngineFailed] = field(default_factory=dict)
    asked: int = 0
    lives: int = 0
    started: Event = field(default_factory=Event)

    @classmethod
    def of(cls, names: Iterable[str] = VERBS) -> "PaperEngine":
        running = Container(
            id="",
            running=True,
            paused=False,
            exit_code=None,
            oom_killed=False,
            started_at="start 0",
            finished_at="",
            cpu_cores=0.5,
            memory_limit_mb=0.0,
            mesh_address=ADDRESS,
            addresses=ATTACHED,
        )
        return cls({name: _whole(name, running) for name in names})

    def end(self, name: str, exit_code: int, stopped: bool = False) -> None:
        """It ends, by itself or stopped from outside."""
        self.lives += 1
        self.now(name, running=False, exit_code=exit_code, finished_at=f"end {self.lives}")
        (self.stopped.add if stopped else self.stopped.discard)(name)

    def now(self, name: str, **changes: Any) -> None:
        self.containers[name] = replace(self.containers[name], **changes)

    def verbs(self) -> list[object]:
        """Its requests, without the arguments."""
        return [call[0] for call in self.calls]

    def listing(self) -> Mapping[str, Listed]:
        return {
            name: Listed(container.id, {}, RUNNING if container.running else EXITED, "an image")
            for name, container in self.containers.items()
            if self.listed()
        }

    def listed(self) -> Mapping[str, str]:
        self._may_fail("listed")
        return {name: RUNNING if c.running else EXITED for name, c in self.containers.items()}

    def inspect(self, name: str) -> Container:
        if name not in self.containers:
            raise ContainerMissing("paper", [name])
        return self.containers[name]

    def start(self, container: Container) -> None:
        self._do("start", container)
        self._begin(container)

    def restart(self, container: Container) -> None:
        self._do("restart", container)
        self._begin(container)

    def stop(self, container: Container, grace_s: float) -> None:
        name = self._do("stop", container, grace_s)
        self.end(name, 0, stopped=True)

    def connect(self, container: Container, network: Network, aliases: Sequence[str]) -> None:
        name = self._do("connect", container, *aliases)
        address = ATTACHED.get(network, CONTROL_ADDRESS)
        self.now(name, addresses={**self.inspect(name).addresses, network: address})

    def unpause(self, container: Container) -> None:
        self.now(self._do("unpause", container), paused=False)

    def give_memory(self, container: Container, limit_mb: int) -> None:
        name = self._do("give_memory", container, limit_mb)
        self.now(name, memory_limit_mb=limit_mb)

    def disconnect(self, container: Container) -> None:
        name = self._do("disconnect", container)
        self.now(name, addresses={Network.TELEMETRY: CONTROL_ADDRESS})

    def give_cpu(self, container: Container, cores: float) -> None:
        name = self._do("give_cpu", container, cores)
        self.now(name, cpu_cores=cores)

    def was_stopped(self, container: Container) -> bool:
        self.asked += 1
        return self._name(container) in self.stopped

    def _begin(self, container: Container) -> None:
        self.lives += 1
        self.now(
            self._name(container),
            running=True,
            exit_code=None,
            started_at=f"start {self.lives}",
        )
        self.started.set()

    def _do(self, what: str, container: Container, *arguments: object) -> str:
        self._may_fail(what)
        self.calls.append((what, self._name(container), *arguments))
        return self._name(container)

    def _may_fail(self, what: str) -> None:
        if what in self.broken:
            raise self.broken[what]

    def _name(self, container: Container) -> str:
        return next(name for name, c in self.containers.items() if c.id == container.id)


def _whole(name: str, running: Container) -> Container:
    """As Compose creates it."""
    intent = intended(name)
    return replace(
        running,
        id=f"id of {name}",
        cpu_cores=intent.cpu_limit_cores or running.cpu_cores,
        memory_limit_mb=intent.memory_limit_mb or 0.0,
        addresses={network: ATTACHED.get(network, CONTROL_ADDRESS) for network in intent.networks},
    )
