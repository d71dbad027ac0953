"""What an episode needs of a backend: four narrow protocols, and `Backend`, which has them all.

The fourth, FaultSurface, belongs to its consumer, the chaos controller.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from chaos.controller import FaultSurface
from orchestrator.telemetry.window import Window
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import Release


class Lifecycle(Protocol):
    """Starts, kills and counts the replicas."""

    async def launch(self, seed: int) -> None:
        """A fresh mesh: replica 0 of every service serves, standbys are stopped, users come.

        seed: keys all draws of the mesh; on a judged server not the one that the faults are drawn
            from (see `draws.visible_seed`), since an agent sees what comes of it.

        Everything that ran before is gone. Raises MeshNotReady.
        """
        ...

    async def start(self, replica: ReplicaId, release: Release) -> None:
        """Starts a stopped or dead replica on `release`; returns before it is ready."""
        ...

    async def restart(self, replica: ReplicaId) -> None:
        """Kills the replica and starts it again; returns before it is ready."""
        ...

    async def stop(self, replica: ReplicaId) -> None:
        """Stops a running replica, which may finish the calls that it has after this returns; a
        stopped one stays stopped.
        """
        ...

    async def ready(self, replicas: frozenset[ReplicaId]) -> None:
        """Waits until all of these that are not dead serve. Raises MeshNotReady."""
        ...

    def dead(self) -> Mapping[ReplicaId, int]:
        """Replicas that ended by themselves (OOM kills), with exit codes, until started again."""
        ...


@dataclass(frozen=True, slots=True)
class Routing:
    """What callers know: serving replicas of each service, and services not to be called."""

    endpoints: Mapping[Service, tuple[ReplicaId, ...]]
    open_breakers: tuple[Service, ...]


class Traffic(Protocol):
    """Pushes the routing to all callers, the users included."""

    async def route(self, routing: Routing) -> None: ...


class Telemetry(Protocol):
    """Measures one window."""

    async def observe(self, step: int, open_breakers: Collection[Service] = ()) -> Window:
        """Lets one window of `step_seconds` pass from now and returns what was measured in it.

        open_breakers: services that no caller calls in this window; each counts as failing.
        """
        ...


class Backend(Lifecycle, Traffic, Telemetry, FaultSurface, Protocol):
    """One mesh of services, in which one episode at a time is played."""

    name: str
    step_seconds: float

    async def aclose(self) -> None:
        """Ends everything that the backend started. Idempotent."""
        ...


@runtime_checkable
class Reconcilable(Protocol):
    """Optional part of a backend whose services run before any episode begins."""

    async def reconcile(self) -> None:
        """Mends what is impaired or was changed, and leaves services that no episode was played
        on. Raises BackendError.
        """
        ...


@runtime_checkable
class Checkable(Protocol):
    """Optional part of a backend that can say at any time whether an episode could begin."""

    async def check(self) -> None:
        """Changes nothing. Raises BackendError where no episode could begin."""
        ...
