"""Starts the standby of a service beside its first replica."""

from orchestrator.actions.action import Situation
from sre_autopilot.world.deployment import Deployment
from sre_autopilot.world.topology import MAX_REPLICAS, Service
from sre_autopilot.world.vocabulary import ActionName


class ScaleUp:
    name = ActionName.SCALE_UP

    def refusal(self, service: Service, situation: Situation) -> str | None:
        if situation.deployment.standby(service) is None:
            return f"{service}: at capacity, both of its {MAX_REPLICAS} replicas run"
        return None

    def apply(self, service: Service, situation: Situation) -> Deployment:
        return situation.deployment.scaled_up(service, situation.step)

    description = (
        "The standby starts on the service's release and joins the rotation some steps later."
    )
