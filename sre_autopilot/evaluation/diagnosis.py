"""How an episode was diagnosed, and what that cost: from its record. Pure."""

from typing import Self

from sre_autopilot.grading import EpisodeRecord
from sre_autopilot.grading.frozen import Frozen
from sre_autopilot.world.vocabulary import ACTION_COSTS


class Diagnosis(Frozen):
    """Only accepted actions count, and of those only the ones that cost anything.

    first_action_at: step of the first one; None where there was none.
    first_at_cause: whether that was on a service that is a cause; None without an action.
    detected_at: as in the record.
    actions, cost_units: how many, and what they cost together.
    """

    first_action_at: int | None
    first_at_cause: bool | None
    detected_at: int | None
    actions: int
    cost_units: int

    @classmethod
    def of(cls, record: EpisodeRecord) -> Self:
        causes = {fault.root for fault in record.breakages}
        acted = [(step, action.service_id in causes) for step, action in record.interventions]
        first_at, first_at_cause = acted[0] if acted else (None, None)
        return cls(
            first_action_at=first_at,
            first_at_cause=first_at_cause,
            detected_at=record.detected_at,
            actions=len(acted),
            cost_units=sum(ACTION_COSTS[action.action] for _, action in record.interventions),
        )
