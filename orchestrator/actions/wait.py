"""Does nothing, for one window."""

from orchestrator.actions.action import Situation
from sre_autopilot.world.deployment import Deployment
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName


class Wait:
    name = ActionName.WAIT

    def refusal(self, service: Service, situation: Situation) -> str | None:
        return None

    def apply(self, service: Service, situation: Situation) -> Deployment:
        return situation.deployment

    description = "Lets a window pass."
