"""The arrays that a window of the simulator is made of: parameters, condition, scratch, results.

Names and shapes only. Each field is indexed by service, replica or edge first, and then holds a
number (one lane) or a row (many lanes): see `reading`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from orchestrator.noise import METRICS_PER_SERVICE
from sre_autopilot.world.topology import LIMITS, MAX_REPLICAS, Service
from sre_autopilot.world.vocabulary import MAX_STEPS

SERVICES = len(Service)
REPLICAS = SERVICES * MAX_REPLICAS
GATEWAY, AUTH, PRODUCT, ORDER, USER_DB, INVENTORY_DB, PAYMENT = range(SERVICES)
"""Services by their place in `Service`; replica i of service s is at s * MAX_REPLICAS + i."""
ORDER_TO_INVENTORY = SERVICES
EDGES = SERVICES + 1
"""Edges by their callee; inventory_db has a second caller."""
METRICS = SERVICES * METRICS_PER_SERVICE
BINS = 64
"""Quantiles in a table, at the middle of so many equal shares."""
AGES = MAX_STEPS + 1
"""Windows that a process may have lived when it is measured, in a table."""
LIMIT_MB = np.array([LIMITS[service].memory_limit_mb for service in Service], np.float64)


class Parameters(NamedTuple):
    """Fitted to one real backend. Tables have BINS quantiles a service.

    arrivals: mean calls a window of browse, login and checkout.
    deferred: share of the calls that hang which is counted in the next window.
    latency_ms, cpu_pct, memory_pct: quantiles at rest; CPU's are around its regression.
    cpu_idle_pct, cpu_call_pct, cpu_lost_pct: at no calls, a call worked on, a call that was lost.
    cpu_started_pct: in the window that a process started in, of one that nobody called.
    memory_young_pct: what it has not yet taken of its memory, by its age in windows; AGES.
    early: share of a window's calls that are made before a breaker opens in it.
    contention_ms, last_connection_ms: p99 that each held connection adds, and that the last free
        one adds.
    died_early: share of a window that a killed process is gone at least.
    rejoins_late: mean share of a window that a service is still refused which nobody served in the
        last one.
    slow_checkout: share of failed checkouts that outlast SLOW_MS; by how many there are.
    normal: quantiles of the standard normal.
    """

    arrivals: Any
    deferred: Any
    latency_ms: Any
    cpu_pct: Any
    memory_pct: Any
    cpu_idle_pct: Any
    cpu_call_pct: Any
    cpu_lost_pct: Any
    cpu_started_pct: Any
    memory_young_pct: Any
    early: Any
    contention_ms: Any
    last_connection_ms: Any
    died_early: Any
    rejoins_late: Any
    slow_checkout: Any
    normal: Any


class Condition(NamedTuple):
    """What holds in a window: by replica but for the breakers, which are by service.

    age: windows that the process has lived before this one.
    rest_pct: of its limit, memory that the process takes once it is grown.
    breaker_new: whether it is the first window of an open breaker.
    """

    in_rotation: Any
    running: Any
    started: Any
    partitioned: Any
    drop_ratio: Any
    cpu_fraction: Any
    neighbour_cpu_pct: Any
    held_connections: Any
    leaked_mb: Any
    age: Any
    rest_pct: Any
    breaker_open: Any
    breaker_new: Any


class Measured(NamedTuple):
    """What was measured: by service, but for `killed`, which is by replica.

    Latencies are nan where no call took time, CPU and memory where no process lived.
    truth: what telemetry is to tell, METRICS; see `seen`.
    """

    calls: Any
    failed: Any
    p99_ms: Any
    answered_p99_ms: Any
    cpu_pct: Any
    memory_pct: Any
    killed: Any
    truth: Any


class Work(NamedTuple):
    """Scratch of one window: by service, the last five by edge."""

    refused: Any
    hangs: Any
    silent: Any
    slow_ms: Any
    serving: Any
    share: Any
    open: Any
    sent: Any
    turned_away: Any
    late: Any
    lost: Any
    shifted: Any


class Carried(NamedTuple):
    """What a window leaves to the next.

    hanging: by edge, calls that are counted there.
    away: by service, whether nobody served.
    """

    hanging: Any
    away: Any


class Scene(NamedTuple):
    """All that a window needs."""

    parameters: Parameters
    condition: Condition
    work: Work
    measured: Measured
    carried: Carried


def scene_of(parameters: Parameters, rows: Callable[[int], Any]) -> Scene:
    """A scene whose arrays `rows` makes: `rows(n)` is n reals a lane, all 0."""
    by_replica = {name: rows(REPLICAS) for name in Condition._fields[:-2]}
    breakers = {name: rows(SERVICES) for name in Condition._fields[-2:]}
    condition = Condition(**by_replica, **breakers)
    work = Work(**{name: rows(EDGES) for name in Work._fields})
    by_service = {name: rows(SERVICES) for name in Measured._fields[:-2]}
    measured = Measured(**by_service, killed=rows(REPLICAS), truth=rows(METRICS))
    carried = Carried(hanging=rows(EDGES), away=rows(SERVICES))
    return Scene(parameters, condition, work, measured, carried)
