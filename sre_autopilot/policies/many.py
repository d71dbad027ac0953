"""One policy in many episodes at once: a batch of observations in, a batch of actions out."""

from collections.abc import Callable, Iterable

from sre_autopilot.models import SREAction, SREObservation
from sre_autopilot.policies.policy import Briefing, Policy
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName

_ACTIONS, _SERVICES = tuple(ActionName), tuple(Service)


class ManyPolicies:
    """A policy for each lane of a vector environment, each of which remembers its own episode.

    new_policy: makes one. draw_seed: lane i gets it plus i for the draws of its first episode; each
    later one goes on by the number of lanes. Raises ValueError for a privileged policy: lanes have
    no truth to hand out in a briefing.
    """

    def __init__(self, new_policy: Callable[[], Policy], lanes: int, draw_seed: int = 0) -> None:
        self._policies = [new_policy() for _ in range(lanes)]
        if any(policy.privileged for policy in self._policies):
            raise ValueError(f"{self._policies[0].name} needs the truth, which lanes do not give")
        self._draw_seeds = [draw_seed + lane for lane in range(lanes)]

    def act_many(self, observations: Iterable[SREObservation]) -> list[tuple[int, int]]:
        """An action and a service by number for each lane, in order.

        The observation of step 0 begins an episode in its lane.
        """
        return [self._act(lane, each) for lane, each in enumerate(observations)]

    def _act(self, lane: int, observation: SREObservation) -> tuple[int, int]:
        policy = self._policies[lane]
        if observation.step == 0:
            policy.begin(Briefing(self._draw_seeds[lane]))
            self._draw_seeds[lane] += len(self._policies)
        return pair_of(policy.act(observation))


def pair_of(action: SREAction) -> tuple[int, int]:
    """The numbers of an action and its service, which is 0 where there is none."""
    service = 0 if action.service_id is None else _SERVICES.index(action.service_id)
    return _ACTIONS.index(action.action), service
