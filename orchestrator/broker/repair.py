"""What a container was created as, and the orders that bring one back to it. Starts none.

Undoes what others than the orchestrator did: a network that was left, a limit that was changed, a
pause. Outages by order are healed before, by the chaos app.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from orchestrator.broker.docker_engine import Container
from sre_autopilot.world.stack import (
    REPLICAS,
    RUNTIME_MEMORY_MB,
    USERS_CPU_CORES,
    USERS_MEMORY_MB,
    Network,
    Part,
    network_alias,
)
from sre_autopilot.world.topology import LIMITS

_SERVICES = {str(replica): replica.service for replica in REPLICAS}
_CORES_TOLERANCE = 0.001


class Mender(Protocol):
    """The calls to the engine that a repair makes; each blocks."""

    def inspect(self, name: str) -> Container: ...
    def unpause(self, container: Container) -> None: ...
    def connect(self, container: Container, network: Network, aliases: Sequence[str]) -> None: ...
    def give_cpu(self, container: Container, cores: float) -> None: ...
    def give_memory(self, container: Container, limit_mb: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Intended:
    """As the Compose file creates it. A limit is None where nothing that is measured depends on it.

    names: those that it is found by on each network.
    """

    networks: Sequence[Network]
    names: Sequence[str]
    cpu_limit_cores: float | None = None
    memory_limit_mb: int | None = None


def intended(name: str) -> Intended:
    """Of a replica, the users or another part that episodes rely on."""
    on_mesh = (Network.MESH, Network.TELEMETRY)
    if name in _SERVICES:
        service = _SERVICES[name]
        limits = LIMITS[service]
        memory_mb = limits.memory_limit_mb + RUNTIME_MEMORY_MB
        return Intended(on_mesh, (name, service), limits.cpu_limit_cores, memory_mb)
    if name == Part.TRAFFIC:
        memory_mb = USERS_MEMORY_MB + RUNTIME_MEMORY_MB
        return Intended(on_mesh, (name,), USERS_CPU_CORES, memory_mb)
    return Intended((Network.CONTROL,), (name,))


def repair(engine: Mender, name: str) -> list[str]:
    """What was not as intended, and is now. Raises EngineFailed where the engine refuses."""
    container, intent, done = engine.inspect(name), intended(name), list[str]()
    if container.paused:
        engine.unpause(container)
        done.append("it was paused")
    for network in intent.networks:
        if network not in container.addresses:
            aliases = [network_alias(each, network) for each in intent.names]
            engine.connect(container, network, aliases)
            done.append(f"it was off the {network} network")
    cores, memory_mb = intent.cpu_limit_cores, intent.memory_limit_mb
    # A stopped one gets its CPU when it is started.
    if cores and container.running and abs(container.cpu_cores - cores) > _CORES_TOLERANCE:
        engine.give_cpu(container, cores)
        done.append(f"it had {container.cpu_cores:g} cores, not {cores:g}")
    if memory_mb and container.memory_limit_mb != memory_mb:
        engine.give_memory(container, memory_mb)
        done.append(f"it had {container.memory_limit_mb:g} MiB of memory, not {memory_mb}")
    return done
