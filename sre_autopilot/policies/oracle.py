"""Reads the hidden truth, and applies each cheap cure as early as it works: an upper bound."""

from chaos.fault import Intervention
from orchestrator.episode import Episode
from sre_autopilot.models import SREAction, SREObservation
from sre_autopilot.policies.policy import WAIT, Briefing


class Oracle:
    """Asks each fault whether its cheap cure would work at the next step; otherwise waits."""

    name = "oracle"
    privileged = True
    needs_traces = False
    _truth: Episode

    def begin(self, briefing: Briefing) -> None:
        """Raises ValueError for a briefing without the truth."""
        if briefing.truth is None:
            raise ValueError("the oracle needs the episode's truth in its briefing")
        self._truth = briefing.truth

    def act(self, observation: SREObservation) -> SREAction:
        plan, step = self._truth.plan, observation.step + 1
        for fault, record in zip(plan.faults, self._truth.fault_records, strict=True):
            if fault.root is not None and record.cured_at is None:
                cure = Intervention(fault.cheap_cure, fault.root, step, plan.seed)
                if fault.on_action(cure, self._truth.deployment) is not None:
                    return SREAction(action=fault.cheap_cure, service_id=fault.root)
        return WAIT
