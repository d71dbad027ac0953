"""The arrays that one window of the simulator is made of: parameters, condition, work, results.

Names and shapes only. The first index is a service, replica or edge; each such row holds one number
per lane. Nothing is computed here.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from orchestrator.noise import METRICS_PER_SERVICE
from sre_autopilot.world.topology import LIMITS, MAX_REPLICAS, Service
from sre_autopilot.world.vocabulary import MAX_STEPS

SERVICE_COUNT = len(Service)
REPLICA_COUNT = SERVICE_COUNT * MAX_REPLICAS
GATEWAY, AUTH, PRODUCT, ORDER, USER_DB, INVENTORY_DB, PAYMENT = range(SERVICE_COUNT)
"""Services by their place in `Service`; replica i of service s is at s * MAX_REPLICAS + i."""
ORDER_TO_INVENTORY = SERVICE_COUNT
EDGE_COUNT = SERVICE_COUNT + 1
"""Edges by their callee; the second caller of inventory_db has an edge of its own at the end."""
METRIC_COUNT = SERVICE_COUNT * METRICS_PER_SERVICE
BINS = 64
"""Quantiles in a table, each at the middle of its share of 1 / BINS."""
AGES = MAX_STEPS + 1
"""Ages in windows that a process can have when it is measured, in a table."""
LIMIT_MB = np.array([LIMITS[service].memory_limit_mb for service in Service], np.float64)


class Parameters(NamedTuple):
    """Fitted to one real backend by `calibration.fit`. Tables have BINS quantiles a service.

    arrivals: (3,) mean calls a window of browse, login and checkout.
    deferred: share of the calls that hang which is counted in the next window, while what makes
        them hang stays the same.
    latency_ms, cpu_pct, memory_pct: (services, BINS) quantiles at rest; CPU's are residuals of
        its regression.
    cpu_idle_pct, cpu_call_pct, cpu_lost_pct: (services,) coefficients of that regression: with no
        calls, per call worked on, per call lost.
    cpu_started_pct: CPU in the window in which a process started, if nobody called it.
    memory_young_pct: (AGES,) memory that a process has not taken yet, by its age in windows.
    early: share of a window's calls that are made before breakers and impairments change in it.
    stall_lost: calls that a starved process loses, for each that `cpu_fraction_for` says.
    contention_ms, last_connection_ms: p99 added by each held connection, and by holding all but
        the last one.
    died_early: least share of a window during which a killed process is gone.
    rejoins_late: mean share of a window that calls are still refused by a service that had no
        replica in the last one.
    slow_checkout: (BINS,) share of failed checkouts that outlast SLOW_MS, by their number.
    normal: (1, BINS) quantiles of the standard normal; not fitted.
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
    stall_lost: Any
    contention_ms: Any
    last_connection_ms: Any
    died_early: Any
    rejoins_late: Any
    slow_checkout: Any
    normal: Any


class Condition(NamedTuple):
    """What is so during a window: by replica, the two breaker fields by service.

    The fault fields are those of `chaos.fault.Impairments`, added up over faults.

    age: windows that the process has lived before this one.
    rest_pct: memory that the process takes once it is warm, in percent of its limit.
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
    """What was measured in a window: by service, but `killed` by replica.

    Latencies (ms) are nan where no call took time, CPU and memory (percent of the limit) where no
    process ran.

    truth: METRIC_COUNT values as telemetry reports them, before noise; see `observation`.
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
    """Intermediate results of one window: by service, the last five by edge.

    refused, hangs, silent: share of the calls at a service that its replicas refuse, leave
        without an answer, or do not even work on.
    slow_ms: p99 added by what is wrong at the service and below it.
    serving: replicas in rotation; share: 1 / serving, 0 where none is.
    open: whether the breaker is open.
    deferred: share of the calls that hang at a service which is counted in the next window.
    sent, turned_away, late, lost, shifted: calls of an edge that were made, that failed at once,
        that timed out, that failed either way, and how many more are counted in this window than
        were made in it.
    """

    refused: Any
    hangs: Any
    silent: Any
    slow_ms: Any
    serving: Any
    share: Any
    open: Any
    deferred: Any
    sent: Any
    turned_away: Any
    late: Any
    lost: Any
    shifted: Any


class Carried(NamedTuple):
    """What a window leaves to the next.

    hanging: by edge, calls that time out there.
    unserved: by service, whether no replica was in rotation.
    hung, silent: by service, as in `Work`, but of what was impaired at the window's end.
    """

    hanging: Any
    unserved: Any
    hung: Any
    silent: Any


class WindowArrays(NamedTuple):
    """All that a window needs."""

    parameters: Parameters
    condition: Condition
    work: Work
    measured: Measured
    carried: Carried


def make_window_arrays(parameters: Parameters, rows: Callable[[int], Any]) -> WindowArrays:
    """Arrays made by `rows`: `rows(n)` is n rows of zeros."""
    by_replica = {name: rows(REPLICA_COUNT) for name in Condition._fields[:-2]}
    breakers = {name: rows(SERVICE_COUNT) for name in Condition._fields[-2:]}
    condition = Condition(**by_replica, **breakers)
    work = Work(**{name: rows(EDGE_COUNT) for name in Work._fields})
    by_service = {name: rows(SERVICE_COUNT) for name in Measured._fields[:-2]}
    measured = Measured(**by_service, killed=rows(REPLICA_COUNT), truth=rows(METRIC_COUNT))
    carried = Carried(
        hanging=rows(EDGE_COUNT),
        unserved=rows(SERVICE_COUNT),
        hung=rows(SERVICE_COUNT),
        silent=rows(SERVICE_COUNT),
    )
    return WindowArrays(parameters, condition, work, measured, carried)
