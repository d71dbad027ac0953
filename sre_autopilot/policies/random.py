"""Any action on any service, uniformly: the floor that other policies are measured from."""

from sre_autopilot.models import SREAction, SREObservation
from sre_autopilot.policies.policy import Briefing
from sre_autopilot.world.draws import Stream, choice, uniform
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName


class Random:
    """Draws are keyed by the briefing's seed and the step, so that an episode can be repeated."""

    name = "random"
    privileged = False
    needs_traces = False

    def begin(self, briefing: Briefing) -> None:
        self._seed = briefing.draw_seed

    def act(self, observation: SREObservation) -> SREAction:
        action, service = (uniform(self._seed, Stream.POLICY, observation.step, i) for i in (0, 1))
        return SREAction(
            action=choice(list(ActionName), action), service_id=choice(list(Service), service)
        )
