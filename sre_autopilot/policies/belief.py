"""The second frozen rule: weighs every fault that the world knows by what it has seen so far.

A Bayesian filter (`hypotheses/`) that knows the rules of the world and sees what
agents see. It acts when that is expected to score better than one more look:

- a leak is cured by restarting who leaks. Waiting costs DELAY a step and settles RESOLVED of the
  doubt, so that it restarts where that costs more than the harm of being wrong would.
- a flap has a few plans, orders in which to try the cures (`hypotheses/flap_plans`). What the best
  of them is expected to lose is held against waiting for one more burst, whatever it may show.

After an action the hypotheses that it would have cured predict health: the symptoms' return is
what reveals a cure that failed. Seed and tier are not read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sre_autopilot.models import SREAction, SREObservation
from sre_autopilot.policies.belief_filter.action_log import Deeds
from sre_autopilot.policies.belief_filter.score_constants import INEFFECTIVE, UNIT, WRONG
from sre_autopilot.policies.policy import Briefing
from sre_autopilot.world.topology import DATABASES, Service
from sre_autopilot.world.vocabulary import ActionName

if TYPE_CHECKING:
    from sre_autopilot.policies.belief_filter.connection_leak import LeakBelief
    from sre_autopilot.policies.belief_filter.flap_planner import Plans
    from sre_autopilot.policies.belief_filter.flapping import FlapBelief
    from sre_autopilot.policies.belief_filter.memory_leak import OomBelief

PAYMENT = Service.PAYMENT_GATEWAY
DELAY = 0.014
"""Points lost by a step more of a fault: speed, and the windows out of SLA."""
RESOLVED = 0.4
"""Share of a doubt about a leak that one more window settles."""
TROUBLED = 0.5
WAIT = SREAction(action=ActionName.WAIT)


class Belief:
    """Keeps the hypotheses, and what was done."""

    name = "belief"
    privileged = False

    _oom: dict[Service, OomBelief]
    _leaks: list[LeakBelief]
    _flap: FlapBelief
    _plans: Plans

    def begin(self, briefing: Briefing) -> None:
        # Late, for NumPy has threads that no process may have that is to be forked.
        from sre_autopilot.policies.belief_filter import flap_planner as flap_plans  # noqa: PLC0415
        from sre_autopilot.policies.belief_filter import flapping as flap  # noqa: PLC0415

        self._deeds = Deeds()
        self._oom, self._leaks = {}, []
        self._flap = flap.FlapBelief()
        self._plans = flap_plans.Plans(self._flap)

    def act(self, observation: SREObservation) -> SREAction:
        if not self._oom:
            self._expect_leaks(observation)
        self._learn(observation)
        return (
            self._plans.following(self._deeds)
            or self._leak_rule(observation)
            or self._flap_rule(observation)
            or WAIT
        )

    def leaking(self) -> dict[Service, float]:
        """Probability that a restart of a service is what a leak wants."""
        troubled = self._troubled()
        found = {service: belief.active for service, belief in self._oom.items()}
        for leak in self._leaks:
            for holder, share in leak.holding(self._deeds, troubled).items():
                found[holder] = max(found[holder], share)
        return found

    def _expect_leaks(self, first: SREObservation) -> None:
        from sre_autopilot.policies.belief_filter import connection_leak as connections  # noqa: PLC0415
        from sre_autopilot.policies.belief_filter import memory_leak as memory  # noqa: PLC0415

        rest = memory.rest_pct(first.metrics.values())
        self._oom = {service: memory.OomBelief(service, rest) for service in Service}
        self._leaks = [connections.LeakBelief(database, rest) for database in DATABASES]

    def _learn(self, observation: SREObservation) -> None:
        self._deeds.note(observation)
        for belief in self._oom.values():
            belief.learn(observation, self._deeds)
        troubled = self._troubled()
        for leak in self._leaks:
            leak.learn(observation, self._deeds, blurred=leak.database in troubled)
        self._flap.learn(observation, self._deeds, blurred=PAYMENT in troubled)

    def _troubled(self) -> set[Service]:
        return {service for service, belief in self._oom.items() if belief.ever > TROUBLED}

    def _leak_rule(self, observation: SREObservation) -> SREAction | None:
        leaking = self.leaking()
        suspect = max(leaking, key=lambda service: leaking[service])
        sure = leaking[suspect]
        known = self._oom[suspect].ever > TROUBLED
        harm = UNIT + (INEFFECTIVE if known else WRONG)
        if sure * DELAY < (1.0 - sure) * harm * RESOLVED:
            return None
        action = ActionName.RESTART if observation.remaining_restarts else ActionName.ROLLBACK
        return SREAction(action=action, service_id=suspect)

    def _flap_rule(self, observation: SREObservation) -> SREAction | None:
        if PAYMENT in self._troubled():
            return None
        return self._plans.best(observation, self._deeds)
