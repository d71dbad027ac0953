"""Rules of a careful engineer: history, call graph, drain before restart. Reads observations only.

| observed | done, one stage at a time, the next when the symptom comes back |
|---|---|
| memory near its limit | restart the service |
| a database slow or failing | restart it; then its caller whose memory grew most; then the other |
| payment losing most calls, and idle | break the circuit and restart behind it; roll it back |
| payment losing few calls | scale it up; roll it back |
| payment losing some calls | roll it back |

Payment is judged by two bad windows, or by one where the burst was no longer. After each stage a
rule is paused until the telemetry can have caught up.
"""

from collections import defaultdict
from statistics import fmean

from sre_autopilot.models import SREAction, SREObservation
from sre_autopilot.policies.policy import WAIT, Briefing
from sre_autopilot.world.topology import DATABASES, Service, callers_of
from sre_autopilot.world.vocabulary import SCALE_UP_STEPS, ActionName

MEMORY_PCT_HIGH = 60.0
DATABASE_P99_HIGH_MS = 120.0
ERROR_RATE_HIGH = 0.25
SETTLE_STEPS = 4
"""Steps from a restart until late telemetry shows its effect."""
DRAIN_SETTLE_STEPS = 7
"""The same from a circuit break, which shows as failure while it is open."""
PAYMENT_ERROR_RATE_HIGH = 0.1
"""Half a dozen calls a window: one that failed is worth a second look."""
LINK_DOWN_ERROR_RATE, IDLE_ERROR_RATE, IDLE_CPU_PCT = 0.9, 0.45, 9.5
"""Lost calls cost no CPU: a link is down where all of them fail, or half while CPU is idle."""
STARVED_ERROR_RATE = 0.3
"""A service that loses fewer calls than this has a neighbour that takes its CPU."""
SCALE_UP_SETTLE_STEPS = SCALE_UP_STEPS + SETTLE_STEPS
BURST_WINDOWS = 2


class Runbook:
    """Keeps, for each service, the stage of its rule and the step until which it is paused."""

    name = "runbook"
    privileged = False
    needs_traces = False

    def begin(self, briefing: Briefing) -> None:
        self._quiet_until: dict[Service, int] = defaultdict(int)
        self._stage: dict[Service, int] = defaultdict(int)
        self._bad_before: dict[Service, bool] = defaultdict(bool)
        self._memory: dict[Service, list[float]] = defaultdict(list)
        self._burst: list[float] = []
        self._burst_cpu_pct: list[float] = []
        self._next: SREAction | None = None

    def act(self, observation: SREObservation) -> SREAction:
        for service, metrics in observation.metrics.items():
            if metrics.memory_pct is not None:
                self._memory[service].append(metrics.memory_pct)
        following, self._next = self._next, None
        return (
            following
            or self._memory_rule(observation)
            or self._database_rule(observation)
            or self._payment_rule(observation)
            or WAIT
        )

    def _memory_rule(self, observation: SREObservation) -> SREAction | None:
        for service in observation.metrics:
            readings = self._memory[service]
            high = bool(readings) and readings[-1] >= MEMORY_PCT_HIGH
            if high and self._watches(service, observation):
                readings.clear()
                return self._take(ActionName.RESTART, service, observation, SETTLE_STEPS)
        return None

    def _database_rule(self, observation: SREObservation) -> SREAction | None:
        for database in DATABASES:
            metrics = observation.metrics[database]
            slow = (metrics.latency_p99 or 0.0) >= DATABASE_P99_HIGH_MS
            bad = slow or (metrics.error_rate or 0.0) >= ERROR_RATE_HIGH
            twice = bad and self._bad_before[database]
            self._bad_before[database] = bad
            if twice and self._watches(database, observation):
                suspects = (database, *sorted(callers_of(database), key=self._growth, reverse=True))
                suspect = suspects[self._stage[database] % len(suspects)]
                self._stage[database] += 1
                self._quiet_until[database] = observation.step + SETTLE_STEPS
                return self._take(ActionName.RESTART, suspect, observation, SETTLE_STEPS)
        return None

    def _payment_rule(self, observation: SREObservation) -> SREAction | None:
        payment = Service.PAYMENT_GATEWAY
        if not self._watches(payment, observation) or not self._burst_observed(observation):
            return None
        stage, lost, cpu_pct = self._stage[payment], fmean(self._burst), self._burst_cpu_pct
        idle = bool(cpu_pct) and fmean(cpu_pct) < IDLE_CPU_PCT
        self._stage[payment] += 1
        self._burst, self._burst_cpu_pct = [], []
        if stage == 0 and (lost >= LINK_DOWN_ERROR_RATE or (lost >= IDLE_ERROR_RATE and idle)):
            self._next = SREAction(action=ActionName.RESTART, service_id=payment)
            return self._take(ActionName.CIRCUIT_BREAK, payment, observation, DRAIN_SETTLE_STEPS)
        if stage == 0 and lost < STARVED_ERROR_RATE:
            return self._take(ActionName.SCALE_UP, payment, observation, SCALE_UP_SETTLE_STEPS)
        return self._take(ActionName.ROLLBACK, payment, observation, SETTLE_STEPS)

    def _burst_observed(self, observation: SREObservation) -> bool:
        """Notes a bad window of the payment gateway; true once the burst can be judged."""
        metrics = observation.metrics[Service.PAYMENT_GATEWAY]
        if metrics.error_rate is None:
            return False
        if metrics.error_rate < PAYMENT_ERROR_RATE_HIGH:
            return bool(self._burst)
        self._burst.append(metrics.error_rate)
        if metrics.cpu_pct is not None:
            self._burst_cpu_pct.append(metrics.cpu_pct)
        return len(self._burst) >= BURST_WINDOWS

    def _growth(self, service: Service) -> float:
        """Points of memory gained since the episode began; the mean of three averages the noise."""
        readings = self._memory[service]
        return sum(readings[-3:]) / len(readings[-3:]) - readings[0] if readings else 0.0

    def _watches(self, service: Service, observation: SREObservation) -> bool:
        return observation.step >= self._quiet_until[service]

    def _take(
        self, action: ActionName, service: Service, observation: SREObservation, settle_steps: int
    ) -> SREAction:
        self._quiet_until[service] = observation.step + settle_steps
        if action is ActionName.RESTART and observation.remaining_restarts == 0:
            return WAIT
        return SREAction(action=action, service_id=service)
