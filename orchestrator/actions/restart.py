"""Kills a service's replicas and starts them again. Whether that cures is up to the fault."""

from orchestrator.actions.action import Situation
from sre_autopilot.world.deployment import Deployment
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import MAX_RESTARTS, ActionName


class Restart:
    name = ActionName.RESTART

    def refusal(self, service: Service, situation: Situation) -> str | None:
        if situation.remaining_restarts <= 0:
            return f"{service}: all {MAX_RESTARTS} restarts of this episode are used"
        return None

    def apply(self, service: Service, situation: Situation) -> Deployment:
        return situation.deployment.restarted(service, situation.step)

    description = (
        "Every replica is killed and started; the service gets no traffic until the window ends."
    )
