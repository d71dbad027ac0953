"""The contract of a policy: an observation in, an action out."""

from dataclasses import dataclass
from typing import Protocol

from orchestrator.episode import Episode
from sre_autopilot.models import SREAction, SREObservation
from sre_autopilot.world.vocabulary import Tier


@dataclass(frozen=True, slots=True)
class Briefing:
    """What a policy is told when an episode begins; `truth` is for privileged policies only."""

    seed: int
    tier: Tier
    truth: Episode | None = None


class Policy(Protocol):
    """Plays one episode after another."""

    name: str
    privileged: bool
    """Whether it is shown the hidden truth; its scores are bounds, not results."""

    def begin(self, briefing: Briefing) -> None:
        """Forgets the last episode."""
        ...

    def act(self, observation: SREObservation) -> SREAction:
        """The action after `observation`."""
        ...
