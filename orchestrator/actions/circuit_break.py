"""Opens the breaker of a service at all of its callers."""

from orchestrator.actions.action import Situation
from sre_autopilot.world.deployment import Deployment
from sre_autopilot.world.topology import ENTRY, Service
from sre_autopilot.world.vocabulary import ActionName


class CircuitBreak:
    name = ActionName.CIRCUIT_BREAK

    def refusal(self, service: Service, situation: Situation) -> str | None:
        if service is ENTRY:
            return f"{service}: its callers are the users, who have no fallback"
        return None

    def apply(self, service: Service, situation: Situation) -> Deployment:
        return situation.deployment.broken(service, situation.step)

    description = "Callers stop calling and answer from their fallback: degraded, not an error."
