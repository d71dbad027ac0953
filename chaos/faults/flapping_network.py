"""`flapping_network`: the payment gateway fails in bursts, for one of three hidden causes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

from chaos.fault import FaultTable, Impairments, Intervention
from chaos.faults.flap import Flap
from sre_autopilot.world import shapes
from sre_autopilot.world.deployment import Deployment, ReplicaId
from sre_autopilot.world.draws import Stream, choice, in_turn, uniform, uniform_between
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import SCALE_UP_STEPS, ActionName, FaultKind, FlapCause, Release


@dataclass(frozen=True, slots=True)
class FlappingNetwork:
    """`cpu_factor` is what a noisy neighbour makes of the CPU in a burst; 1 for other causes."""

    cause: FlapCause
    flap: Flap
    cpu_factor: float = 1.0

    kind: ClassVar = FaultKind.FLAPPING_NETWORK
    root: ClassVar = Service.PAYMENT_GATEWAY
    table: ClassVar = FaultTable(
        "metrics recover and regress; the fingerprints of the causes overlap",
        "the payment gateway, and in all above it",
        f"`{ActionName.ROLLBACK}`; a {FlapCause.STALE_CONNECTION} by `{ActionName.RESTART}` in a"
        f" burst or behind `{ActionName.CIRCUIT_BREAK}`; a {FlapCause.NOISY_NEIGHBOUR} by"
        f" `{ActionName.SCALE_UP}`, once the second replica serves",
        f"any other `{ActionName.RESTART}`, which only delays the next burst",
    )

    @classmethod
    def draw(cls, seed: int, index: int = 0) -> Self:
        # In turn: the cause decides which score is possible; ten seeds are to be a fair sample.
        cause = choice(tuple(FlapCause), in_turn(seed, Stream.FAULT, len(FlapCause), index))
        shape, u_cpu = shapes.FLAP_SHAPES[cause], uniform(seed, Stream.FAULT, index, 1)
        return cls(cause, Flap.draw(shape, seed, index), uniform_between(*shape.cpu_factor, u_cpu))

    @property
    def cheap_cure(self) -> ActionName:
        return shapes.FLAP_SHAPES[self.cause].cheap_cure

    def impairments(self, step: int, deployment: Deployment) -> Mapping[ReplicaId, Impairments]:
        if self.cause is FlapCause.BAD_ROLLOUT:
            dropping = (r for r in deployment.replicas[self.root] if r.release is Release.CURRENT)
            down = [r.id for r in dropping if self.flap.down(step, since=r.started_at)]
        else:
            down = [deployment.first(self.root).id] if self.flap.down(step) else []
        return dict.fromkeys(down, self.burst())

    def burst(self) -> Impairments:
        match self.cause:
            case FlapCause.STALE_CONNECTION:
                return Impairments(partitioned=self.flap.loss_share)
            case FlapCause.BAD_ROLLOUT:
                return Impairments(drop_ratio=self.flap.loss_share)
            case FlapCause.NOISY_NEIGHBOUR:
                runs = shapes.cpu_fraction_for(self.flap.loss_share)
                burnt_pct = max(0.0, (self.cpu_factor - 1.0) * shapes.NOMINAL_CPU_PCT)
                return Impairments(cpu_fraction=runs, neighbour_cpu_pct=burnt_pct)

    def on_action(self, intervention: Intervention, deployment: Deployment) -> int | None:
        if intervention.service is not self.root:
            return None
        step = intervention.step
        drained = self.flap.down(step) or deployment.breaker_open(self.root, step)
        match intervention.action, self.cause:
            case (ActionName.ROLLBACK, _):
                return step
            case (ActionName.RESTART, FlapCause.STALE_CONNECTION) if drained:
                return step
            case (ActionName.SCALE_UP, FlapCause.NOISY_NEIGHBOUR):
                return step + SCALE_UP_STEPS
        return None

    def parameters(self) -> dict[str, Any]:
        return {"cause": self.cause, **asdict(self.flap), "cpu_factor": self.cpu_factor}
