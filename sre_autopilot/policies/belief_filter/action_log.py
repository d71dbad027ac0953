"""What an agent has done to the mesh, as far as it can know; read from its own observations."""

from collections import defaultdict
from dataclasses import dataclass, field

from sre_autopilot.models import SREObservation
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import BREAKER_STEPS, SCALE_UP_STEPS, ActionName

NEVER = 1_000


@dataclass
class Deeds:
    """Steps at which each service was acted on. A refused action is none.

    latest: the action that began the newest window, and its service; None where it was a wait.
    """

    step: int = 0
    latest: tuple[ActionName, Service] | None = None
    restarted_at: dict[Service, list[int]] = field(default_factory=lambda: defaultdict(list))
    broken_at: dict[Service, list[int]] = field(default_factory=lambda: defaultdict(list))
    scaled_up_at: dict[Service, int] = field(default_factory=lambda: defaultdict(lambda: NEVER))
    rolled_back_at: dict[Service, int] = field(default_factory=lambda: defaultdict(lambda: NEVER))

    def note(self, observation: SREObservation) -> None:
        """Takes in what was done at the step of `observation`."""
        self.step, self.latest = observation.step, None
        if not observation.step or observation.last_action_error is not None:
            return
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

    def held_out(self, service: Service, step: int) -> bool:
        return step in self.restarted_at[service]

    def breaker_open(self, service: Service, step: int) -> bool:
        return any(at <= step < at + BREAKER_STEPS for at in self.broken_at[service])

    def unreachable(self, service: Service, step: int) -> bool:
        """Whether nobody could call it in the window of `step`, by what was done."""
        return self.held_out(service, step) or self.breaker_open(service, step)

    def serving(self, service: Service, step: int) -> int:
        """Replicas in rotation in the window of `step`."""
        scaled = self.scaled_up_at[service] + SCALE_UP_STEPS <= step
        return 2 if scaled and self.rolled_back_at[service] > step else 1
