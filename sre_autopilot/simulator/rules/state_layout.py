"""Where each part of an episode's state stands in its lane: names for row numbers.

A lane is two columns of numbers: `keys` (uint64) and `x` (float64; whole numbers and flags among
them). An episode has one lane; an engine keeps many side by side. A time is a step, NEVER if it has
not come. Nothing is computed here.
"""

from typing import Any, NamedTuple

from sre_autopilot.simulator.rules.window_arrays import (
    EDGE_COUNT,
    METRIC_COUNT,
    REPLICA_COUNT,
    SERVICE_COUNT,
)
from sre_autopilot.world.vocabulary import ActionName, FaultKind, FlapCause

NEVER = 1.0e9
MAX_FAULTS = 2
"""Faults at once."""
# Actions, kinds of fault and causes of a flap by their number: the place in their StrEnum.
RESTART, SCALE_UP, CIRCUIT_BREAK, ROLLBACK, WAIT = range(len(ActionName))
NO_FAULT, SINGLE_OOM, DB_CONNECTION_LEAK, FLAPPING_NETWORK = range(len(FaultKind))
STALE_CONNECTION, BAD_ROLLOUT, NOISY_NEIGHBOUR = range(len(FlapCause))

# Rows of `keys`. SEED_KEY: the seed as the first part of every key. CURE_KEY: the same for draws
# of whether an action cures. They belong to the hidden faults: a fork of an episode may redraw its
# windows and keep these.
SEED, SEED_KEY, CURE_KEY = range(3)
KEY_COUNT = 3

# One fault, at row FAULT + FAULT_WIDTH * number + one of these. Steps, MiB, shares of 1, percent.
(
    KIND, ROOT, DATABASE, FILL_STEPS, LEAK_MB, CAUSE, LOSS_SHARE, PERIOD, BURST, PHASE,
    CPU_FRACTION, NEIGHBOUR_PCT, CHEAP_CURE, CURED_AT, CURED_VALUE,
) = range(15)  # fmt: skip
FAULT_WIDTH = 15

# Rows of `x`, one each. STEP_COST: of the last action. BREAK_NOW, BREAK_1_AGO, BREAK_2_AGO: number
# of the root that was circuit-broken in this step or before, plus 1; 0 for none.
(
    STEP, DONE, COST, RESTARTS, TRUE_STREAK, RECOVERED_AT, MISSED_WEIGHT, PENALTY, NOISY_STREAK,
    NOISY_BAD, REFUSED, ACTION, ACTED_ON, STEP_COST, SCORE, HINT, BREAK_NOW, BREAK_1_AGO,
    BREAK_2_AGO,
) = range(19)  # fmt: skip
FAULT = 19

# By replica: replica i of service s is at + s * MAX_REPLICAS + i.
RUNNING = FAULT + MAX_FAULTS * FAULT_WIDTH
LAST_GOOD = RUNNING + REPLICA_COUNT
"""Whether it runs the last good release, not the current one."""
STARTED_AT = LAST_GOOD + REPLICA_COUNT
SERVES_FROM = STARTED_AT + REPLICA_COUNT
STARTED_IN_WINDOW = SERVES_FROM + REPLICA_COUNT
LEAKED_MB = STARTED_IN_WINDOW + REPLICA_COUNT
REST_PCT = LEAKED_MB + REPLICA_COUNT
"""Memory that its process takes once it is warm, as drawn when it started."""

# By service.
FIRST = REST_PCT + REPLICA_COUNT
"""Which of its two replicas has run longest: 0 or 1."""
BREAKER_UNTIL = FIRST + SERVICE_COUNT
WAS_OPEN = BREAKER_UNTIL + SERVICE_COUNT
"""Whether its breaker was open in the last window."""
OUT_OF_ROTATION = WAS_OPEN + SERVICE_COUNT
"""Whether it gets no traffic until the window ends."""
LAG = OUT_OF_ROTATION + SERVICE_COUNT
VERDICT = LAG + SERVICE_COUNT

# What a window carries over to the next: see `window_arrays.Carried`.
HANGING = VERDICT + SERVICE_COUNT
UNSERVED = HANGING + EDGE_COUNT
HUNG = UNSERVED + SERVICE_COUNT
SILENT = HUNG + SERVICE_COUNT

# By metric, then service: latency, error rate, CPU, memory.
TRUTH_1_AGO = SILENT + SERVICE_COUNT
TRUTH_2_AGO = TRUTH_1_AGO + METRIC_COUNT
"""The truth one and two windows before this one, for telemetry that is late."""
OBSERVED = TRUTH_2_AGO + METRIC_COUNT
"""What the agent observes; nan where a value was lost."""
FIELD_COUNT = OBSERVED + METRIC_COUNT


class Lane(NamedTuple):
    """`keys` (KEY_COUNT rows) and `x` (FIELD_COUNT rows); a row is one lane or many."""

    keys: Any
    x: Any
