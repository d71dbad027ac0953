"""Where the state of an episode stands in its lane: names for places in two rows of numbers.

`keys` (64-bit, unsigned) and `x` (64-bit reals, whole numbers and flags among them). Nothing moves
here; the laws do that. A time that has not come is NEVER.
"""

from typing import Any, NamedTuple

from sre_autopilot.simulator.rules.window_arrays import EDGES, METRICS, REPLICAS, SERVICES
from sre_autopilot.world.vocabulary import ActionName, FaultKind, FlapCause

NEVER = 1.0e9
FAULTS = 2
"""Faults at once, at most."""
RESTART, SCALE_UP, CIRCUIT_BREAK, ROLLBACK, WAIT = range(len(ActionName))
NO_FAULT, SINGLE_OOM, DB_CONNECTION_LEAK, FLAPPING_NETWORK = range(len(FaultKind))
STALE_CONNECTION, BAD_ROLLOUT, NOISY_NEIGHBOUR = range(len(FlapCause))

# keys
SEED, FOLDED = range(2)
"""FOLDED: the seed as the first part of every key."""
KEYS = 2

# A fault: FAULT + FAULT_FIELDS * number + one of these.
(
    KIND, ROOT, DATABASE, FILL_STEPS, LEAK_MB, CAUSE, LOSS_SHARE, PERIOD, BURST, PHASE,
    CPU_FRACTION, NEIGHBOUR_PCT, CHEAP_CURE, CURED_AT, CURED_VALUE,
) = range(15)  # fmt: skip
FAULT_FIELDS = 15

# x
(
    STEP, DONE, COST, RESTARTS, TRUE_STREAK, RECOVERED_AT, MISSED, PENALTY, NOISY_STREAK,
    NOISY_BAD, REFUSED, ACTION, ACTED_ON, SPENT, SCORE, HINT, LAST_BREAK, BREAK_BEFORE,
    TWO_BREAKS_BEFORE,
) = range(19)  # fmt: skip
FAULT = 19
RUNNING = FAULT + FAULTS * FAULT_FIELDS
LAST_GOOD = RUNNING + REPLICAS
STARTED_AT = LAST_GOOD + REPLICAS
SERVES_FROM = STARTED_AT + REPLICAS
BEGUN = SERVES_FROM + REPLICAS
LEAKED_MB = BEGUN + REPLICAS
REST_PCT = LEAKED_MB + REPLICAS
"""Memory that its process takes once it is grown, as drawn when it began."""
FIRST = REST_PCT + REPLICAS
"""Which of its two replicas a service has had longest."""
BREAKER_UNTIL = FIRST + SERVICES
WAS_OPEN = BREAKER_UNTIL + SERVICES
"""Whether its breaker was open in the last window."""
HELD_OUT = WAS_OPEN + SERVICES
LAG = HELD_OUT + SERVICES
VERDICT = LAG + SERVICES
HANGING = VERDICT + SERVICES
AWAY = HANGING + EDGES
BEFORE = AWAY + SERVICES
LONG_BEFORE = BEFORE + METRICS
"""The truth of the two windows before this one."""
SEEN = LONG_BEFORE + METRICS
"""What the agent sees: latency, error rate, CPU, memory, each of all services; nan where lost."""
FIELDS = SEEN + METRICS


class Lane(NamedTuple):
    """One episode: a row of KEYS and a row of FIELDS, or many of them side by side."""

    keys: Any
    x: Any
