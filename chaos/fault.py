"""The contract of a fault: pure, from step and deployment to impairments. Touches nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

from sre_autopilot.world.deployment import Deployment, ReplicaId
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName


@dataclass(frozen=True, slots=True)
class Impairments:
    """What is wrong inside one replica during one window, as desired state.

    memory_leak_mb: MiB that the process loses in this step, on top of what it lost before.
    held_connections: pool connections kept checked out. Key: the name of a database replica
        ("user_db-0"): its own pool, or, at another service, cursors left open there.
    partitioned: share of calls met with silence, 0..1.
    drop_ratio: share of calls that are worked on and then dropped without an answer, 0..1.
    cpu_fraction: share of its time that the process gets to run, (0, 1].
    neighbour_cpu_pct: CPU that a neighbour burns on the replica's account, in percentage points
        of its limit.
    """

    memory_leak_mb: float = 0.0
    held_connections: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    partitioned: float = 0.0
    drop_ratio: float = 0.0
    cpu_fraction: float = 1.0
    neighbour_cpu_pct: float = 0.0

    def __post_init__(self) -> None:
        for name in ("partitioned", "drop_ratio"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")
        if not 0.0 < self.cpu_fraction <= 1.0:
            raise ValueError(f"cpu_fraction must lie in (0, 1], got {self.cpu_fraction}")
        if self.memory_leak_mb < 0.0 or self.neighbour_cpu_pct < 0.0:
            raise ValueError("memory_leak_mb and neighbour_cpu_pct must not be negative")
        if any(count < 0 for count in self.held_connections.values()):
            raise ValueError("held_connections must not be negative")


NO_IMPAIRMENTS = Impairments()


def merged(one: Impairments, other: Impairments) -> Impairments:
    """Both at once in one replica: shares take the worse, amounts add up."""
    held = dict(one.held_connections)
    for pool, count in other.held_connections.items():
        held[pool] = held.get(pool, 0) + count
    return Impairments(
        memory_leak_mb=one.memory_leak_mb + other.memory_leak_mb,
        held_connections=held,
        partitioned=max(one.partitioned, other.partitioned),
        drop_ratio=max(one.drop_ratio, other.drop_ratio),
        cpu_fraction=min(one.cpu_fraction, other.cpu_fraction),
        neighbour_cpu_pct=one.neighbour_cpu_pct + other.neighbour_cpu_pct,
    )


@dataclass(frozen=True, slots=True)
class Intervention:
    """An accepted action on a service, at a step; `seed` keys all of its random draws."""

    action: ActionName
    service: Service
    step: int
    seed: int


@dataclass(frozen=True, slots=True)
class FaultTable:
    """What the documents say of a shipped fault, one cell each."""

    symptom: str
    seen_in: str
    cured_by: str
    made_worse_by: str


class Fault(Protocol):
    """One hidden fault. Frozen: parameters are drawn once, all else follows from the arguments."""

    @property
    def kind(self) -> str:
        """A FaultKind; a fault from elsewhere has a name of its own."""
        ...

    @property
    def root(self) -> Service | None:
        """The service to be treated; None where nothing is wrong."""
        ...

    @property
    def cheap_cure(self) -> ActionName:
        """The action that scores as the cure; a `rollback` of the root cures at its price."""
        ...

    def impairments(self, step: int, deployment: Deployment) -> Mapping[ReplicaId, Impairments]:
        """Impairments of each running replica during the window of `step`; the rest is well."""
        ...

    def on_action(self, intervention: Intervention, deployment: Deployment) -> int | None:
        """Step from which the fault is cured by the intervention, or None.

        `deployment` is the one before the intervention.
        """
        ...

    def parameters(self) -> dict[str, Any]:
        """Hidden parameters for the episode's record, JSON-ready."""
        ...
