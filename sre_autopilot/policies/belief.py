"""The second frozen policy: a Bayesian filter over the faults of the world.

It knows the rules of the world (`belief_filter/`) and reads what every agent observes. It acts
where that is expected to score better than one more look:

- a leak is cured by restarting the service that leaks. Waiting costs DELAY a step and settles
  RESOLVED of the doubt: it restarts where waiting costs more than the expected harm of an error.
- a flap has a few plans, orders in which to try the cures (`belief_filter/flap_planner`). The
  least expected loss of a plan is weighed against waiting for one more burst, whatever it shows.

After an action, the hypotheses that it would have cured predict health: where the symptoms come
back, the cure has failed. Seed and tier are not read.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

from sre_autopilot.models import SREAction, SREObservation
from sre_autopilot.policies.belief_filter.action_log import ActionLog
from sre_autopilot.policies.belief_filter.score_constants import (
    INEFFECTIVE,
    SPEED_DELAY,
    UNIT,
    WRONG,
)
from sre_autopilot.policies.policy import WAIT, Briefing
from sre_autopilot.world.topology import DATABASES, Service
from sre_autopilot.world.vocabulary import ActionName

if TYPE_CHECKING:
    from sre_autopilot.policies.belief_filter.connection_leak import LeakBelief
    from sre_autopilot.policies.belief_filter.flap_planner import FlapPlanner
    from sre_autopilot.policies.belief_filter.flapping import FlapBelief
    from sre_autopilot.policies.belief_filter.memory_leak import OomBelief

PAYMENT = Service.PAYMENT_GATEWAY
SLA_DELAY = 0.0042
"""Points that the windows out of SLA cost a step, on average over leaks."""
DELAY = SPEED_DELAY + SLA_DELAY
"""Points lost by one more step with a fault."""
RESOLVED = 0.4
"""Share of a doubt about a leak that one more window settles."""
TROUBLED = 0.5
"""Probability of a memory leak above which a service's other symptoms are put down to it."""


class Belief:
    """Keeps a belief for each kind of fault, and a log of its own actions."""

    name = "belief"
    privileged = False
    needs_traces = True

    _oom: dict[Service, OomBelief]
    _leaks: list[LeakBelief]
    _flap: FlapBelief
    _planner: FlapPlanner

    def begin(self, briefing: Briefing) -> None:
        # Imported late: NumPy starts threads, which a process that forks services must not have.
        from sre_autopilot.policies.belief_filter.flap_planner import FlapPlanner  # noqa: PLC0415
        from sre_autopilot.policies.belief_filter.flapping import FlapBelief  # noqa: PLC0415

        self._action_log = ActionLog()
        self._oom, self._leaks = {}, []
        self._flap = FlapBelief()
        self._planner = FlapPlanner(self._flap)

    def fork(self) -> Belief:
        """Another filter that has observed the same; from here on the two go on apart."""
        # A filter holds megabytes that it never changes: copies of it share them.
        shared = (*self._flap.never_changed(), *self._planner.never_changed())
        return deepcopy(self, {id(array): array for array in shared})

    def act(self, observation: SREObservation) -> SREAction:
        if not self._oom:
            self._expect_leaks(observation)
        self._learn(observation)
        return (
            self._planner.following(self._action_log)
            or self._leak_rule(observation)
            or self._flap_rule(observation)
            or WAIT
        )

    def leaking(self) -> dict[Service, float]:
        """Probability, by service, that restarting it would cure a leak."""
        troubled = self._troubled()
        leaking = {service: belief.active for service, belief in self._oom.items()}
        for leak in self._leaks:
            for holder, share in leak.holding(self._action_log, troubled).items():
                leaking[holder] = max(leaking[holder], share)
        return leaking

    def _expect_leaks(self, first: SREObservation) -> None:
        """Begins the beliefs over leaks: they take the level at rest from the first readings."""
        from sre_autopilot.policies.belief_filter.connection_leak import LeakBelief  # noqa: PLC0415
        from sre_autopilot.policies.belief_filter.memory_leak import (  # noqa: PLC0415
            OomBelief,
            rest_pct,
        )

        rest = rest_pct(first.metrics.values())
        self._oom = {service: OomBelief(service, rest) for service in Service}
        self._leaks = [LeakBelief(database, rest) for database in DATABASES]

    def _learn(self, observation: SREObservation) -> None:
        self._action_log.record(observation)
        for belief in self._oom.values():
            belief.learn(observation, self._action_log)
        # Memory first: a service that is killed again and again also fails and is slow.
        troubled = self._troubled()
        for leak in self._leaks:
            leak.learn(observation, self._action_log, obscured=leak.database in troubled)
        self._flap.learn(observation, self._action_log, obscured=PAYMENT in troubled)

    def _troubled(self) -> set[Service]:
        return {service for service, belief in self._oom.items() if belief.ever > TROUBLED}

    def _leak_rule(self, observation: SREObservation) -> SREAction | None:
        leaking = self.leaking()
        suspect = max(leaking, key=lambda service: leaking[service])
        probability = leaking[suspect]
        leaked_before = self._oom[suspect].ever > TROUBLED
        harm = UNIT + (INEFFECTIVE if leaked_before else WRONG)
        if probability * DELAY < (1.0 - probability) * harm * RESOLVED:
            return None
        action = ActionName.RESTART if observation.remaining_restarts else ActionName.ROLLBACK
        return SREAction(action=action, service_id=suspect)

    def _flap_rule(self, observation: SREObservation) -> SREAction | None:
        if PAYMENT in self._troubled():
            return None
        return self._planner.best(observation, self._action_log)
