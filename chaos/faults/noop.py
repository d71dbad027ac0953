# ruff: noqa: ARG003 - the signature of all faults
"""`none`: nothing is wrong, so every intervention does harm. The control tier plays it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from chaos.fault import FaultTable, Impairments, Intervention
from sre_autopilot.world.deployment import Deployment, ReplicaId
from sre_autopilot.world.vocabulary import ActionName, FaultKind


@dataclass(frozen=True, slots=True)
class NoFault:
    """Impairs nothing, has no root and is never cured: its episode plays to the last step."""

    kind: ClassVar = FaultKind.NONE
    root: ClassVar = None
    cheap_cure: ClassVar = ActionName.WAIT
    table: ClassVar = FaultTable(
        symptom="noise only",
        seen_in="nowhere",
        cured_by="nothing; leaving it alone is right",
        made_worse_by="any intervention",
    )

    @classmethod
    def draw(cls, seed: int, index: int = 0) -> Self:
        return cls()

    def impairments(self, step: int, deployment: Deployment) -> Mapping[ReplicaId, Impairments]:
        return {}

    def on_action(self, intervention: Intervention, deployment: Deployment) -> int | None:
        return None

    def parameters(self) -> dict[str, Any]:
        return {}
