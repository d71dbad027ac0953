"""Restarts the service with the most errors, like a first script written during an incident."""

from sre_autopilot.models import SREAction, SREObservation
from sre_autopilot.policies.policy import WAIT, Briefing
from sre_autopilot.world.vocabulary import ActionName

ERROR_RATE_THRESHOLD = 0.25


class Heuristic:
    """Restarts the service with the highest error rate where that is above a quarter."""

    name = "heuristic"
    privileged = False
    needs_traces = False

    def begin(self, briefing: Briefing) -> None:
        """Nothing is kept from one step to the next."""

    def act(self, observation: SREObservation) -> SREAction:
        rates = {s: m.error_rate or 0.0 for s, m in observation.metrics.items()}
        worst = max(rates, key=lambda service: rates[service])
        if rates[worst] > ERROR_RATE_THRESHOLD and observation.remaining_restarts > 0:
            return SREAction(action=ActionName.RESTART, service_id=worst)
        return WAIT
