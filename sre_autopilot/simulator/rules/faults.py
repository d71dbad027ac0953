"""What the faults of a lane do to its replicas in the window of its step.

The same rules as `Fault.impairments` of `chaos.faults`, over arrays; tests hold both equal
(tests/sre_autopilot/simulator/rules/test_faults.py). Never cures a fault: `actions` does.
"""

from typing import Any

import numpy as np

from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.simulator.rules.actions import in_burst
from sre_autopilot.simulator.rules.array_ops import (
    any_lane,
    each_row,
    negate,
    no_lane,
    rows_from,
    rule,
    to_float,
    where,
    zeros_like,
)
from sre_autopilot.simulator.rules.window_arrays import (
    AUTH,
    INVENTORY_DB,
    ORDER,
    PAYMENT,
    PRODUCT,
    REPLICA_COUNT,
    SERVICE_COUNT,
    USER_DB,
    Condition,
)
from sre_autopilot.world.shapes import LEAK_HOLDER_MEMORY_MB_PER_STEP
from sre_autopilot.world.topology import MAX_REPLICAS, POOL_SIZE

DATABASE_CALLERS = (AUTH, PRODUCT, ORDER)
"""Services that call a database, and may leave connections checked out there."""
IMPAIRED_SERVICES = (USER_DB, INVENTORY_DB, PAYMENT)
"""Services whose replicas a fault changes in `Condition` other than by a leak of memory."""


@rule
def condition_of(lane: layout.Lane, c: Condition) -> Condition:
    """`c`, but with the fields that the lane itself keeps taken from its state, not copied."""
    _keys, x = lane
    return Condition(
        in_rotation=c.in_rotation,
        running=rows_from(x, layout.RUNNING),
        started=rows_from(x, layout.STARTED_IN_WINDOW),
        partitioned=c.partitioned,
        drop_ratio=c.drop_ratio,
        cpu_fraction=c.cpu_fraction,
        neighbour_cpu_pct=c.neighbour_cpu_pct,
        held_connections=c.held_connections,
        leaked_mb=rows_from(x, layout.LEAKED_MB),
        age=c.age,
        rest_pct=rows_from(x, layout.REST_PCT),
        breaker_open=c.breaker_open,
        breaker_new=c.breaker_new,
    )


@rule
def clear_faults(c: Condition) -> None:
    """No replica is impaired."""
    for r in each_row(REPLICA_COUNT):
        _clear_faults_of(c, r)


@rule
def _clear_faults_of(c: Condition, r: Any) -> None:
    c.partitioned[r] = 0.0
    c.drop_ratio[r] = 0.0
    c.cpu_fraction[r] = 1.0
    c.neighbour_cpu_pct[r] = 0.0
    c.held_connections[r] = 0.0


@rule
def apply_faults(lane: layout.Lane, c: Condition) -> None:
    """Fills the condition of this step's window: which replicas run, serve and are impaired.

    `clear_faults` must have been called on `c` once: replicas that no fault impairs are left as
    they are.
    """
    _keys, x = lane
    step = x[layout.STEP]
    for s in each_row(SERVICE_COUNT):
        for i in range(MAX_REPLICAS):
            r = s * MAX_REPLICAS + i
            serves = (x[layout.RUNNING + r] > 0.0) & (x[layout.SERVES_FROM + r] <= step)
            c.in_rotation[r] = where(serves, 1.0 - x[layout.OUT_OF_ROTATION + s], 0.0)
            c.age[r] = step - x[layout.STARTED_AT + r]
        c.breaker_open[s] = to_float(x[layout.BREAKER_UNTIL + s] > step)
        c.breaker_new[s] = np.maximum(0.0, c.breaker_open[s] - x[layout.WAS_OPEN + s])
        x[layout.WAS_OPEN + s] = c.breaker_open[s]
    # Six replicas of the fourteen: the others never change, and clearing them takes time.
    for s in IMPAIRED_SERVICES:
        for i in range(MAX_REPLICAS):
            _clear_faults_of(c, s * MAX_REPLICAS + i)
    for number in range(layout.MAX_FAULTS):
        f = layout.FAULT + number * layout.FAULT_WIDTH
        active = x[f + layout.CURED_AT] > step
        leaks = active & (x[f + layout.KIND] == layout.SINGLE_OOM)
        if any_lane(leaks):
            _leak_memory(x, f, leaks)
        leaks = active & (x[f + layout.KIND] == layout.DB_CONNECTION_LEAK)
        if any_lane(leaks):
            _hold_connections(x, f, leaks, c)
        flaps = active & (x[f + layout.KIND] == layout.FLAPPING_NETWORK)
        if any_lane(flaps):
            _flap(x, f, flaps, c)


@rule
def _current(x: Any, r: int) -> Any:
    """Whether a replica runs, on the current release."""
    return (x[layout.RUNNING + r] > 0.0) & (x[layout.LAST_GOOD + r] == 0.0)


@rule
def _leak_memory(x: Any, f: int, leaks: Any) -> None:
    """`single_oom`: every replica of the root on the current release."""
    for r in range(REPLICA_COUNT):
        here = leaks & (x[f + layout.ROOT] == r // MAX_REPLICAS) & _current(x, r)
        growth_mb = where(here, x[f + layout.LEAK_MB], 0.0)
        x[layout.LEAKED_MB + r] = x[layout.LEAKED_MB + r] + growth_mb


@rule
def _held_connections(x: Any, f: int, pool: int, holder_started_at: Any) -> Any:
    """Connections held of one pool: `world.shapes.held_connections`.

    The leak is as old as the younger of pool and holder.
    """
    pool_began = np.maximum(x[layout.STARTED_AT + pool], x[layout.SERVES_FROM + pool])
    age = x[layout.STEP] + 1.0 - np.maximum(pool_began, holder_started_at)
    filled = age / np.maximum(1.0, x[f + layout.FILL_STEPS])
    held = zeros_like(age)
    # floor(POOL_SIZE * filled^(1/3)), counted by comparing cubes: no cube root, so no libm.
    for count in range(1, POOL_SIZE + 1):
        held = held + where(float(count**3) <= filled * POOL_SIZE**3, 1.0, 0.0)
    return held


@rule
def _hold_connections(x: Any, f: int, leaks: Any, c: Condition) -> None:
    """`db_connection_leak`: by the database itself, or by one replica of a caller.

    That replica is the longest-running one on the current release.
    """
    step = x[layout.STEP]
    own = leaks & (x[f + layout.ROOT] == x[f + layout.DATABASE])
    holder_started_at, has_holder = zeros_like(step), no_lane(step)
    for s in DATABASE_CALLERS:
        by_caller = leaks & negate(own) & (x[f + layout.ROOT] == s)
        # Both replicas twice: first the one that has run longest, whichever that is, then the
        # other. A sort by age of two.
        for turn in range(MAX_REPLICAS * MAX_REPLICAS):
            i = turn % MAX_REPLICAS
            r = s * MAX_REPLICAS + i
            is_turn = (x[layout.FIRST + s] == i) == (turn < MAX_REPLICAS)
            takes = by_caller & is_turn & _current(x, r) & negate(has_holder)
            holder_started_at = where(takes, x[layout.STARTED_AT + r], holder_started_at)
            growth_mb = where(takes, LEAK_HOLDER_MEMORY_MB_PER_STEP, 0.0)
            x[layout.LEAKED_MB + r] = x[layout.LEAKED_MB + r] + growth_mb
            has_holder = has_holder | takes
    for s in (USER_DB, INVENTORY_DB):
        for i in range(MAX_REPLICAS):
            pool = s * MAX_REPLICAS + i
            serves = (x[layout.RUNNING + pool] > 0.0) & (x[layout.SERVES_FROM + pool] <= step)
            leaking = (own & _current(x, pool)) | has_holder
            here = serves & (x[f + layout.DATABASE] == s) & leaking
            started_at = where(own, x[layout.STARTED_AT + pool], holder_started_at)
            held = where(here, _held_connections(x, f, pool, started_at), 0.0)
            c.held_connections[pool] = c.held_connections[pool] + held


@rule
def _flap(x: Any, f: int, flaps: Any, c: Condition) -> None:
    """`flapping_network`: in a burst, every replica on a bad release, else the first replica."""
    step, cause = x[layout.STEP], x[f + layout.CAUSE]
    rollout = cause == layout.BAD_ROLLOUT
    for i in range(MAX_REPLICAS):
        r = PAYMENT * MAX_REPLICAS + i
        # A bad release begins its rhythm anew when it starts; the other causes are outside.
        since = where(rollout, x[layout.STARTED_AT + r], 0.0)
        down = flaps & in_burst(x, f, step, since)
        drops = down & rollout & _current(x, r)
        first = down & negate(rollout) & (x[layout.FIRST + PAYMENT] == i)
        starved = first & (cause == layout.NOISY_NEIGHBOUR)
        silent = first & (cause == layout.STALE_CONNECTION)
        c.drop_ratio[r] = where(drops, x[f + layout.LOSS_SHARE], c.drop_ratio[r])
        c.partitioned[r] = where(silent, x[f + layout.LOSS_SHARE], c.partitioned[r])
        c.cpu_fraction[r] = where(starved, x[f + layout.CPU_FRACTION], c.cpu_fraction[r])
        cpu_pct = where(starved, x[f + layout.NEIGHBOUR_PCT], c.neighbour_cpu_pct[r])
        c.neighbour_cpu_pct[r] = cpu_pct
