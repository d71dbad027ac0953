"""Puts the last good release of a service in place of the current one, without downtime."""

from orchestrator.actions.action import Situation
from sre_autopilot.world.deployment import Deployment
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, Release


class Rollback:
    name = ActionName.ROLLBACK

    def refusal(self, service: Service, situation: Situation) -> str | None:
        replicas = situation.deployment.replicas[service]
        if replicas[0].release is Release.LAST_GOOD:
            return f"{service}: already runs its last good release"
        if any(replica.serves_from > situation.step for replica in replicas):
            return f"{service}: standby busy, it is starting for a {ActionName.SCALE_UP}"
        return None

    def apply(self, service: Service, situation: Situation) -> Deployment:
        return situation.deployment.rolled_back(service, situation.step)

    description = (
        "The standby takes over on the last good release; the old replica stops and is the standby."
    )
