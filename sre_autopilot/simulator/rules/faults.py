"""What the faults of a lane do to its replicas in the window of its step; as the `impairments` of
`chaos.faults` say of one episode. Laws of `reading`; tests hold them against those objects.
"""

from typing import Any

import numpy as np

from sre_autopilot.simulator.rules import state_layout as at
from sre_autopilot.simulator.rules.actions import is_down
from sre_autopilot.simulator.rules.array_ops import each, law, real, rows_from, some, where
from sre_autopilot.simulator.rules.window_arrays import (
    AUTH,
    INVENTORY_DB,
    ORDER,
    PAYMENT,
    PRODUCT,
    REPLICAS,
    SERVICES,
    USER_DB,
    Condition,
)
from sre_autopilot.world.shapes import LEAK_HOLDER_MEMORY_MB_PER_STEP
from sre_autopilot.world.topology import MAX_REPLICAS, POOL_SIZE

CALLERS = (AUTH, PRODUCT, ORDER)
"""Who calls a database, and may leave cursors open there."""
IMPAIRED = (USER_DB, INVENTORY_DB, PAYMENT)
"""Whose replicas faults impair otherwise than by a leak of memory."""


@law
def in_lane(lane: at.Lane, c: Condition) -> Condition:
    """The condition whose replicas are the lane's own."""
    _keys, x = lane
    return Condition(
        in_rotation=c.in_rotation,
        running=rows_from(x, at.RUNNING),
        started=rows_from(x, at.BEGUN),
        partitioned=c.partitioned,
        drop_ratio=c.drop_ratio,
        cpu_fraction=c.cpu_fraction,
        neighbour_cpu_pct=c.neighbour_cpu_pct,
        held_connections=c.held_connections,
        leaked_mb=rows_from(x, at.LEAKED_MB),
        age=c.age,
        rest_pct=rows_from(x, at.REST_PCT),
        breaker_open=c.breaker_open,
        breaker_new=c.breaker_new,
    )


@law
def spare(c: Condition) -> None:
    """Nothing is impaired."""
    for r in each(REPLICAS):
        _spare(c, r)


@law
def _spare(c: Condition, r: Any) -> None:
    c.partitioned[r] = 0.0
    c.drop_ratio[r] = 0.0
    c.cpu_fraction[r] = 1.0
    c.neighbour_cpu_pct[r] = 0.0
    c.held_connections[r] = 0.0


@law
def impair(lane: at.Lane, c: Condition) -> None:
    """Fills the condition of this step's window: who runs, serves and is impaired, by how much.

    Replicas that no fault impairs must have been spared once.
    """
    _keys, x = lane
    step = x[at.STEP]
    for s in each(SERVICES):
        for i in range(MAX_REPLICAS):
            r = s * MAX_REPLICAS + i
            serves = (x[at.RUNNING + r] > 0.0) & (x[at.SERVES_FROM + r] <= step)
            c.in_rotation[r] = where(serves, 1.0 - x[at.HELD_OUT + s], 0.0)
            c.age[r] = step - x[at.STARTED_AT + r]
        c.breaker_open[s] = real(x[at.BREAKER_UNTIL + s] > step)
        c.breaker_new[s] = np.maximum(0.0, c.breaker_open[s] - x[at.WAS_OPEN + s])
        x[at.WAS_OPEN + s] = c.breaker_open[s]
    for s in IMPAIRED:
        for i in range(MAX_REPLICAS):
            _spare(c, s * MAX_REPLICAS + i)
    for number in range(at.FAULTS):
        f = at.FAULT + number * at.FAULT_FIELDS
        holds = x[f + at.CURED_AT] > step
        leaks = holds & (x[f + at.KIND] == at.SINGLE_OOM)
        if some(leaks):
            _leak_memory(x, f, leaks)
        leaks = holds & (x[f + at.KIND] == at.DB_CONNECTION_LEAK)
        if some(leaks):
            _hold_connections(x, f, leaks, c)
        flaps = holds & (x[f + at.KIND] == at.FLAPPING_NETWORK)
        if some(flaps):
            _flap(x, f, flaps, c)


@law
def _current(x: Any, r: int) -> Any:
    """Whether a replica runs, on the current release."""
    return (x[at.RUNNING + r] > 0.0) & (x[at.LAST_GOOD + r] == 0.0)


@law
def _leak_memory(x: Any, f: int, leaks: Any) -> None:
    """`single_oom`: every replica of the root on the current release."""
    for r in range(REPLICAS):
        here = leaks & (x[f + at.ROOT] == r // MAX_REPLICAS) & _current(x, r)
        x[at.LEAKED_MB + r] = x[at.LEAKED_MB + r] + where(here, x[f + at.LEAK_MB], 0.0)


@law
def _held(x: Any, f: int, pool: int, holder_started_at: Any) -> Any:
    """Connections of one pool, by the age of the younger of pool and holder: see `shapes`."""
    began = np.maximum(x[at.STARTED_AT + pool], x[at.SERVES_FROM + pool])
    age = x[at.STEP] + 1.0 - np.maximum(began, holder_started_at)
    filled = age / np.maximum(1.0, x[f + at.FILL_STEPS])
    held = 0.0 * age
    for count in range(1, POOL_SIZE + 1):
        held = held + where(float(count**3) <= filled * POOL_SIZE**3, 1.0, 0.0)
    return held


@law
def _hold_connections(x: Any, f: int, leak: Any, c: Condition) -> None:
    """`db_connection_leak`: by the database itself, or by the first of its caller's replicas."""
    step = x[at.STEP]
    own = leak & (x[f + at.ROOT] == x[f + at.DATABASE])
    holder_at, found = 0.0 * step, leak & (step < 0.0)
    for s in CALLERS:
        callers = leak & (own ^ True) & (x[f + at.ROOT] == s)
        for turn in range(MAX_REPLICAS * MAX_REPLICAS):
            # In the order they came: the first, then the other.
            i = turn % MAX_REPLICAS
            r = s * MAX_REPLICAS + i
            in_turn = (x[at.FIRST + s] == i) == (turn < MAX_REPLICAS)
            takes = callers & in_turn & _current(x, r) & (found ^ True)
            holder_at = where(takes, x[at.STARTED_AT + r], holder_at)
            growth_mb = where(takes, LEAK_HOLDER_MEMORY_MB_PER_STEP, 0.0)
            x[at.LEAKED_MB + r] = x[at.LEAKED_MB + r] + growth_mb
            found = found | takes
    for s in (USER_DB, INVENTORY_DB):
        for i in range(MAX_REPLICAS):
            pool = s * MAX_REPLICAS + i
            serves = (x[at.RUNNING + pool] > 0.0) & (x[at.SERVES_FROM + pool] <= step)
            hit = serves & (x[f + at.DATABASE] == s) & ((own & _current(x, pool)) | found)
            by = where(own, x[at.STARTED_AT + pool], holder_at)
            held = where(hit, _held(x, f, pool, by), 0.0)
            c.held_connections[pool] = c.held_connections[pool] + held


@law
def _flap(x: Any, f: int, flaps: Any, c: Condition) -> None:
    """`flapping_network`: in a burst, every replica on a bad release, or the first one."""
    step, cause = x[at.STEP], x[f + at.CAUSE]
    rollout = cause == at.BAD_ROLLOUT
    for i in range(MAX_REPLICAS):
        r = PAYMENT * MAX_REPLICAS + i
        since = where(rollout, x[at.STARTED_AT + r], 0.0)
        down = flaps & is_down(x, f, step, since)
        drops = down & rollout & _current(x, r)
        first = down & (rollout ^ True) & (x[at.FIRST + PAYMENT] == i)
        starved = first & (cause == at.NOISY_NEIGHBOUR)
        silent = first & (cause == at.STALE_CONNECTION)
        c.drop_ratio[r] = where(drops, x[f + at.LOSS_SHARE], c.drop_ratio[r])
        c.partitioned[r] = where(silent, x[f + at.LOSS_SHARE], c.partitioned[r])
        c.cpu_fraction[r] = where(starved, x[f + at.CPU_FRACTION], c.cpu_fraction[r])
        burnt = where(starved, x[f + at.NEIGHBOUR_PCT], c.neighbour_cpu_pct[r])
        c.neighbour_cpu_pct[r] = burnt
