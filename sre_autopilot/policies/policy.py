"""The contract of a policy: an observation in, an action out."""

from dataclasses import dataclass
from typing import Protocol

from orchestrator.episode import Episode
from sre_autopilot.models import SREAction, SREObservation
from sre_autopilot.world.vocabulary import ActionName

WAIT = SREAction(action=ActionName.WAIT)


@dataclass(frozen=True, slots=True)
class Briefing:
    """What a policy gets when an episode begins: neither its seed nor its tier, from which all that
    is hidden follows.

    draw_seed: for the policy's own draws.
    truth: None but for privileged policies.
    """

    draw_seed: int
    truth: Episode | None = None


class Policy(Protocol):
    """Plays one episode after another."""

    name: str
    privileged: bool
    """Whether it reads the hidden truth; its scores are bounds, not results."""
    needs_traces: bool
    """Whether it reads `trace_edges`, `dependency_graph` or `reward_breakdown`. They cost the
    vector simulator time, which computes them for such a policy alone."""

    def begin(self, briefing: Briefing) -> None:
        """Forgets the last episode."""
        ...

    def act(self, observation: SREObservation) -> SREAction:
        """The action after `observation`."""
        ...
