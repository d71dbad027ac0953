"""`db_connection_leak`: a database's pool runs dry, by its own fault or by one of its callers'."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

from chaos.fault import FaultTable, Impairments, Intervention
from sre_autopilot.world import shapes
from sre_autopilot.world.deployment import Deployment, Replica, ReplicaId
from sre_autopilot.world.draws import Stream, choice, uniform, uniform_between
from sre_autopilot.world.topology import DATABASES, Service, callers_of
from sre_autopilot.world.vocabulary import ActionName, FaultKind, Release


@dataclass(frozen=True, slots=True)
class DbConnectionLeak:
    """`holder`, the database or one of its callers, keeps ever more connections of its pools."""

    database: Service
    holder: Service
    fill_steps: float

    kind: ClassVar = FaultKind.DB_CONNECTION_LEAK
    cheap_cure: ClassVar = ActionName.RESTART
    table: ClassVar = FaultTable(
        symptom="latency climbs, then calls time out; a caller that holds cursors grows in memory",
        seen_in="the database, and in all above it",
        cured_by=f"`{ActionName.RESTART}` of the holder; `{ActionName.ROLLBACK}` of the holder",
        made_worse_by="restarting the other of the two (the pool empties, then fills again);"
        f" `{ActionName.SCALE_UP}`; restarting the gateway; `{ActionName.CIRCUIT_BREAK}`",
    )

    def __post_init__(self) -> None:
        if self.database not in DATABASES:
            raise ValueError(f"database must be one of: {', '.join(DATABASES)}")
        holders = (self.database, *callers_of(self.database))
        if self.holder not in holders:
            raise ValueError(f"holder must be one of: {', '.join(holders)}")
        if not self.fill_steps >= 1.0:
            raise ValueError("fill_steps must be 1 or more")

    @classmethod
    def draw(cls, seed: int, index: int = 0) -> Self:
        u = [uniform(seed, Stream.FAULT, index, i) for i in range(4)]
        database = choice(DATABASES, u[0])
        own = u[1] < shapes.LEAK_HELD_BY_DATABASE
        holder = database if own else choice(callers_of(database), u[2])
        return cls(database, holder, uniform_between(*shapes.LEAK_FILL_STEPS, u[3]))

    @property
    def root(self) -> Service:
        return self.holder

    def impairments(self, step: int, deployment: Deployment) -> Mapping[ReplicaId, Impairments]:
        pools = [r for r in deployment.replicas[self.database] if r.serves_from <= step]
        holders = [r for r in deployment.replicas[self.holder] if r.release is Release.CURRENT]
        if self.holder is self.database:
            own = (r for r in holders if r in pools)
            return {r.id: Impairments(held_connections=self._held(step, r, [r])) for r in own}
        growth_mb = shapes.LEAK_HOLDER_MEMORY_MB_PER_STEP
        return {r.id: Impairments(growth_mb, self._held(step, r, pools)) for r in holders[:1]}

    def _held(self, step: int, holder: Replica, pools: Iterable[Replica]) -> dict[str, int]:
        def age(pool: Replica) -> int:
            return step + 1 - max(pool.started_at, pool.serves_from, holder.started_at)

        return {str(p.id): shapes.held_connections(age(p) / self.fill_steps) for p in pools}

    def on_action(self, intervention: Intervention, deployment: Deployment) -> int | None:
        cures = intervention.action in (ActionName.RESTART, ActionName.ROLLBACK)
        return intervention.step if cures and intervention.service is self.holder else None

    def parameters(self) -> dict[str, Any]:
        return asdict(self)
