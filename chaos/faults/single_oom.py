"""`single_oom`: the current release of one service leaks memory until the kernel kills it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from chaos.fault import FaultTable, Impairments, Intervention
from sre_autopilot.world.deployment import Deployment, ReplicaId
from sre_autopilot.world.draws import Stream, choice, uniform, uniform_between
from sre_autopilot.world.shapes import OOM_LEAK_MB_PER_STEP, OOM_RESTART_CURES
from sre_autopilot.world.topology import LIMITS, Service
from sre_autopilot.world.vocabulary import ActionName, FaultKind, Release

SERVICES = tuple(Service)


@dataclass(frozen=True, slots=True)
class SingleOom:
    """`root` leaks, at every replica that runs its current release."""

    root: Service
    memory_leak_mb_per_step: float

    kind: ClassVar = FaultKind.SINGLE_OOM
    cheap_cure: ClassVar = ActionName.RESTART
    table: ClassVar = FaultTable(
        symptom="memory like a saw, a spike of errors at each kill (exit code 137)",
        seen_in="the root, and in all above it while it is dead",
        cured_by=f"`{ActionName.RESTART}` of the root, {OOM_RESTART_CURES * 100:.0f} % each try;"
        f" `{ActionName.ROLLBACK}` of the root",
        made_worse_by=f"`{ActionName.SCALE_UP}` (then two replicas leak); restarting a caller",
    )

    def __post_init__(self) -> None:
        limit_mb = LIMITS[self.root].memory_limit_mb
        if not 0.0 < self.memory_leak_mb_per_step < limit_mb:
            raise ValueError(f"memory_leak_mb_per_step must lie in (0, {limit_mb})")

    @classmethod
    def draw(cls, seed: int, index: int = 0) -> Self:
        u_root, u_leak = (uniform(seed, Stream.FAULT, index, i) for i in range(2))
        return cls(choice(SERVICES, u_root), uniform_between(*OOM_LEAK_MB_PER_STEP, u_leak))

    def impairments(self, step: int, deployment: Deployment) -> Mapping[ReplicaId, Impairments]:
        leaking = Impairments(memory_leak_mb=self.memory_leak_mb_per_step)
        replicas = deployment.replicas[self.root]
        return {r.id: leaking for r in replicas if r.release is Release.CURRENT}

    def on_action(self, intervention: Intervention, deployment: Deployment) -> int | None:
        if intervention.service is not self.root:
            return None
        match intervention.action:
            case ActionName.ROLLBACK:
                return intervention.step
            case ActionName.RESTART if self._restart_cures(intervention):
                return intervention.step
        return None

    def _restart_cures(self, at: Intervention) -> bool:
        draw = uniform(at.seed, Stream.CURE, at.step, SERVICES.index(self.root))
        return draw < OOM_RESTART_CURES

    def parameters(self) -> dict[str, Any]:
        return {"memory_leak_mb_per_step": self.memory_leak_mb_per_step}
