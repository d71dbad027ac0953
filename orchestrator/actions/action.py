"""The contract of an action: a pure move of the deployment. The rollout carries it out."""

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

    def refusal(self, service: Service, situation: Situation) -> str | None:
        """Why the world refuses the action here, or None where it is carried out."""
        ...

    def apply(self, service: Service, situation: Situation) -> Deployment:
        """The deployment after the action; call only where it is not refused."""
        ...
