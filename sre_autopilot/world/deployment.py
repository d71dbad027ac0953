"""What runs where: replicas, releases, rotation, breakers. Pure values; backends carry them out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Self

from sre_autopilot.world.topology import MAX_REPLICAS, Service
from sre_autopilot.world.vocabulary import BREAKER_STEPS, SCALE_UP_STEPS, Release


@dataclass(frozen=True, slots=True)
class ReplicaId:
    """One of the two replicas of a service: index 0 serves first, index 1 is the first standby."""

    service: Service
    index: int

    def __str__(self) -> str:
        return f"{self.service}-{self.index}"

    @classmethod
    def parse(cls, name: str) -> Self:
        """The replica of that name. Raises ValueError where it is none's."""
        service, _, index = name.rpartition("-")
        return cls(Service(service), int(index))


@dataclass(frozen=True, slots=True)
class Replica:
    """A replica that runs: the step of its start, its release, and the step it serves from."""

    id: ReplicaId
    release: Release
    started_at: int
    serves_from: int


@dataclass(frozen=True, slots=True)
class Deployment:
    """All running replicas, those of a service in the order of their starts, and open breakers.

    `breakers` maps a service to the first step at which its breaker is closed again;
    `out_of_rotation` names services that rejoin the rotation when the current window ends.
    """

    replicas: Mapping[Service, tuple[Replica, ...]]
    breakers: Mapping[Service, int] = field(default_factory=dict)
    out_of_rotation: frozenset[Service] = frozenset()

    def __iter__(self) -> Iterator[Replica]:
        return (replica for replicas in self.replicas.values() for replica in replicas)

    def serving(self, service: Service, step: int) -> tuple[Replica, ...]:
        """Replicas in rotation during the window of `step`; none while the service is out of it."""
        if service in self.out_of_rotation:
            return ()
        return tuple(r for r in self.replicas[service] if r.serves_from <= step)

    def first(self, service: Service) -> Replica:
        """The replica that has been there longest."""
        return self.replicas[service][0]

    def standby(self, service: Service) -> ReplicaId | None:
        """The replica that does not run, or None when both do."""
        running = {replica.id.index for replica in self.replicas[service]}
        idle = [index for index in range(MAX_REPLICAS) if index not in running]
        return ReplicaId(service, idle[0]) if idle else None

    def breaker_open(self, service: Service, step: int) -> bool:
        return self.breakers.get(service, step) > step

    def open_breakers(self, step: int) -> tuple[Service, ...]:
        return tuple(service for service in self.replicas if self.breaker_open(service, step))

    def restarted(self, service: Service, step: int) -> "Deployment":
        """Every running replica starts anew and gets no calls until the window of `step` ends."""
        fresh = tuple(replace(r, started_at=step) for r in self.replicas[service])
        return replace(
            self,
            replicas=_with(self.replicas, service, fresh),
            out_of_rotation=self.out_of_rotation | {service},
        )

    def revived(self, replica_id: ReplicaId, step: int) -> "Deployment":
        """One replica starts anew after a kill; a fault in force impairs it again."""
        service = replica_id.service
        fresh = tuple(
            replace(r, started_at=step) if r.id == replica_id else r for r in self.replicas[service]
        )
        return replace(self, replicas=_with(self.replicas, service, fresh))

    def scaled_up(self, service: Service, step: int) -> "Deployment":
        """The standby starts on the current release of the first replica and serves later."""
        standby = self.standby(service)
        assert standby is not None, f"{service} is at capacity"
        joined = Replica(standby, self.first(service).release, step, step + SCALE_UP_STEPS)
        return replace(
            self, replicas=_with(self.replicas, service, (*self.replicas[service], joined))
        )

    def rolled_back(self, service: Service, step: int) -> "Deployment":
        """One replica on the last good release takes over at once; all others stop."""
        standby = self.standby(service)
        taking_over = standby if standby is not None else self.replicas[service][-1].id
        fresh = Replica(taking_over, Release.LAST_GOOD, step, step)
        return replace(self, replicas=_with(self.replicas, service, (fresh,)))

    def broken(self, service: Service, step: int) -> "Deployment":
        """Callers stop calling `service` for BREAKER_STEPS windows, that of `step` included."""
        return replace(self, breakers={**self.breakers, service: step + BREAKER_STEPS})

    def window_ended(self) -> "Deployment":
        """Services out of rotation for one window rejoin."""
        return replace(self, out_of_rotation=frozenset())


def _with(
    replicas: Mapping[Service, tuple[Replica, ...]], service: Service, new: tuple[Replica, ...]
) -> Mapping[Service, tuple[Replica, ...]]:
    return MappingProxyType({**replicas, service: new})


def initial_deployment() -> Deployment:
    """One replica of each service on the current release, all standbys stopped."""
    return Deployment(
        MappingProxyType({s: (Replica(ReplicaId(s, 0), Release.CURRENT, 0, 0),) for s in Service})
    )
