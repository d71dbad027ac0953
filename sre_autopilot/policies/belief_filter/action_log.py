"""What an agent has done to the mesh, read from its own observations. Imports no NumPy."""

from collections import defaultdict
from dataclasses import dataclass, field

from sre_autopilot.models import SREObservation
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import BREAKER_STEPS, SCALE_UP_STEPS, ActionName

NEVER = 1_000
"""A step beyond every episode: comparisons need no case for what did not happen."""


@dataclass
class ActionLog:
    """Steps at which each service was acted on. A refused action is left out.

    latest: the action that began the newest window, and its service; None where it was a wait.
    """

    step: int = 0
    latest: tuple[ActionName, Service] | None = None
    restarted_at: dict[Service, list[int]] = field(default_factory=lambda: defaultdict(list))
    broken_at: dict[Service, list[int]] = field(default_factory=lambda: defaultdict(list))
    scaled_up_at: dict[Service, int] = field(default_factory=lambda: defaultdict(lambda: NEVER))
    rolled_back_at: dict[Service, int] = field(default_factory=lambda: defaultdict(lambda: NEVER))

    def record(self, observation: SREObservation) -> None:
        """Notes the action that led to `observation`."""
        self.step, self.latest = observation.step, None
        if not observation.step or observation.last_action_error is not None:
            return
        # The history holds the last five actions, the newest last.
        taken = observation.action_history[-1]
        service = taken.service_id
        if taken.action is ActionName.WAIT or service is None:
            return
        self.latest = taken.action, service
        match taken.action:
            case ActionName.RESTART:
                self.restarted_at[service].append(self.step)
            case ActionName.CIRCUIT_BREAK:
                self.broken_at[service].append(self.step)
            case ActionName.SCALE_UP:
                self.scaled_up_at[service] = self.step
            case ActionName.ROLLBACK:
                self.rolled_back_at[service] = self.step

    def did(self, action: ActionName, service: Service) -> bool:
        """Whether that was done at the newest step."""
        return self.latest == (action, service)

    def out_of_rotation(self, service: Service, step: int) -> bool:
        """Whether it got no traffic in the window of `step`, because it was restarted in it."""
        return step in self.restarted_at[service]

    def breaker_open(self, service: Service, step: int) -> bool:
        return any(at <= step < at + BREAKER_STEPS for at in self.broken_at[service])

    def unreachable(self, service: Service, step: int) -> bool:
        """Whether no call could reach it in the window of `step`, because of what was done."""
        return self.out_of_rotation(service, step) or self.breaker_open(service, step)

    def serving(self, service: Service, step: int) -> int:
        """Replicas in rotation in the window of `step`: a rollback also undoes a scale-up."""
        # The second replica joins the rotation SCALE_UP_STEPS after the action.
        scaled = self.scaled_up_at[service] + SCALE_UP_STEPS <= step
        return 2 if scaled and self.rolled_back_at[service] > step else 1
