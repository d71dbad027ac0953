"""The contract of an action: a pure change of the deployment. `reconcile` carries it out."""

from dataclasses import dataclass
from typing import Protocol

from sre_autopilot.world.deployment import Deployment
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName


@dataclass(frozen=True, slots=True)
class Situation:
    """Where an action is taken: the deployment, the step, and the restarts left."""

    deployment: Deployment
    step: int
    remaining_restarts: int


class Action(Protocol):
    """One action on one service."""

    @property
    def name(self) -> ActionName: ...

    @property
    def description(self) -> str:
        """What it does, for agents: stands in the tools of MCP and in the documents."""
        ...

    def refusal(self, service: Service, situation: Situation) -> str | None:
        """Why the action is refused in this situation, or None where it is carried out."""
        ...

    def apply(self, service: Service, situation: Situation) -> Deployment:
        """The deployment after the action; call only where it is not refused."""
        ...
