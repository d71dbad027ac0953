"""Does nothing, for one window."""

from orchestrator.actions.action import Situation
from services.mesh.deployment import Deployment
from services.mesh.topology import Service
from services.mesh.vocabulary import ActionName


class Wait:
    """Lets a window pass."""

    name = ActionName.WAIT

    def refusal(self, service: Service, situation: Situation) -> str | None:
        return None

    def apply(self, service: Service, situation: Situation) -> Deployment:
        return situation.deployment
