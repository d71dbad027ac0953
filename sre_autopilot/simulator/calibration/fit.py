"""Fits the simulator's parameters to recorded windows.

Levels at rest are taken as they are, quantile by quantile; what faults add is a line or a share,
fitted by least squares or likelihood. Reads no file; plays nothing.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import optimize

from sre_autopilot.simulator import parameters
from sre_autopilot.simulator.calibration.cpu import cpu_lines, cpu_of_a_start
from sre_autopilot.simulator.calibration.evidence import (
    CALL_COUNT,
    FAILED_COUNT,
    MEMORY_PCT,
    P99_MS,
    SERVICES,
    Evidence,
    Floats,
    RecordedWindow,
)
from sre_autopilot.simulator.calibration.losses import deferred, stall_lost
from sre_autopilot.simulator.rules.traffic import SLOW_MS
from sre_autopilot.simulator.rules.window_arrays import AGES, BINS
from sre_autopilot.world.topology import (
    ARRIVALS_PER_S,
    CALL_TIMEOUT_S,
    DATABASES,
    ENTRY,
    POOL_SIZE,
    Service,
)

SETTLED_AGE = 20
"""Windows after which a process takes no more memory."""


def fit(evidence: Evidence) -> dict[str, Any]:
    """All parameters. Raises ValueError where fewer than BINS windows are at rest."""
    recorded, rest = evidence
    if len(rest) < BINS:
        raise ValueError(f"{len(rest)} windows at rest, {BINS} are needed; record more episodes")
    calls = rest[:, :, CALL_COUNT].mean(axis=0)
    by_service = dict(zip(SERVICES, calls, strict=True))
    checkouts = by_service[Service.ORDER_SERVICE]
    logins = by_service[Service.AUTH_SERVICE] - checkouts
    timeout_share = CALL_TIMEOUT_S * ARRIVALS_PER_S / by_service[ENTRY]
    early = _early(recorded, calls)
    return {
        "arrivals": [by_service[Service.PRODUCT_SERVICE], logins, checkouts],
        "deferred": deferred(recorded, calls, early, min(1.0, timeout_share)),
        "latency_ms": [_quantiles(rest[:, s, P99_MS]) for s in range(len(SERVICES))],
        **_memory(recorded),
        **cpu_lines(recorded),
        "cpu_started_pct": cpu_of_a_start(recorded),
        **_pools(*_held_connections(recorded, rest)),
        "early": early,
        "stall_lost": stall_lost(recorded, calls),
        "died_early": _died_early(recorded),
        "rejoins_late": _rejoining(recorded),
        "slow_checkout": _slow_checkouts(*_failed_checkouts(recorded)),
    }


def _quantiles(values: Floats) -> list[float]:
    return parameters.middle_quantiles(values[~np.isnan(values)])


def _memory(recorded: Sequence[RecordedWindow]) -> dict[str, Any]:
    """The level that processes settle at, and how far below it they are at each age before."""
    samples = np.array(
        [
            (s, window.step - window.deployment.first(service).started_at, memory)
            for window in recorded
            if not any(i.memory_leak_mb for i in window.impairments.values())
            for s, service in enumerate(SERVICES)
            if len(window.deployment.replicas[service]) == 1
            and not np.isnan(memory := window.true[s, MEMORY_PCT])
        ]
    )
    service, age, memory_pct = samples[:, 0].astype(int), samples[:, 1], samples[:, 2]
    settled = [
        np.median(memory_pct[(service == s) & (age >= SETTLED_AGE)]) for s in range(len(SERVICES))
    ]
    below_pct = np.asarray(settled)[service] - memory_pct
    young_pct = [float(np.median(below_pct[age == n])) for n in range(SETTLED_AGE)]
    old_pct = [0.0] * (AGES - SETTLED_AGE)
    table = np.array([*young_pct, *old_pct])
    grown_pct = memory_pct + table[np.minimum(age, AGES - 1).astype(int)]
    return {
        "memory_young_pct": table,
        "memory_pct": [_quantiles(grown_pct[service == s]) for s in range(len(SERVICES))],
    }


def _early(recorded: Sequence[RecordedWindow], calls: Floats) -> float:
    """Share of the usual calls that a service still has in the window that its breaker opens in."""
    shares = [
        window.true[s, CALL_COUNT] / calls[s]
        for last, window in pairwise(recorded)
        for s, service in enumerate(SERVICES)
        if service in window.deployment.open_breakers(window.step)
        and window.step
        and service not in last.deployment.open_breakers(last.step)
        and not last.true[s, FAILED_COUNT]
    ]
    return float(np.mean(shares)) if shares else 0.0


def _held_connections(recorded: Sequence[RecordedWindow], rest: Floats) -> tuple[Floats, Floats]:
    """Connections kept open in a window, and by how much p99 was above its median at rest."""
    held, added_ms = [], []
    for window in recorded:
        for database in DATABASES:
            s, count = SERVICES.index(database), window.held(database)
            if 0 < count < POOL_SIZE and window.settled and not window.true[s, FAILED_COUNT]:
                held.append(count)
                added_ms.append(window.true[s, P99_MS] - np.nanmedian(rest[:, s, P99_MS]))
    h, added = np.asarray(held, np.float64), np.asarray(added_ms)
    return h[~np.isnan(added)], added[~np.isnan(added)]


def _pools(held: Floats, added_ms: Floats) -> dict[str, float]:
    """p99 that a held connection adds, and what the last free one adds to that."""
    some, last = held < POOL_SIZE - 1, held == POOL_SIZE - 1
    square = max(1.0, np.dot(held[some], held[some]))
    slope = max(0.0, float(np.dot(held[some], added_ms[some]) / square))
    at_last = float(np.median(added_ms[last])) - slope * (POOL_SIZE - 1) if last.any() else 0.0
    return {"contention_ms": slope, "last_connection_ms": max(0.0, at_last)}


def _died_early(recorded: Sequence[RecordedWindow]) -> float:
    """Least share of a window that a killed process is gone.

    It is killed at a time that is uniform over the rest, so that the mean share of errors is
    (1 + least) / 2.
    """
    shares = [
        window.true[s, FAILED_COUNT] / window.true[s, CALL_COUNT]
        for window in recorded
        for s in range(len(SERVICES))
        if np.isnan(window.true[s, MEMORY_PCT]) and window.true[s, CALL_COUNT] > 0
    ]
    return float(np.clip(2.0 * np.mean(shares) - 1.0, 0.0, 1.0)) if shares else 1.0


def _rejoining(recorded: Sequence[RecordedWindow]) -> float:
    """Share of calls that a healthy service loses in the window after it was out of rotation."""
    counts = [
        (window.true[s, FAILED_COUNT], window.true[s, CALL_COUNT])
        for last, window in pairwise(recorded)
        for s, service in enumerate(SERVICES)
        if service in last.deployment.out_of_rotation
        and window.step
        and not window.deployment.out_of_rotation
        and not window.impairments
        and not last.impairments
    ]
    failed, calls = np.sum(counts, axis=0) if counts else (0.0, 0.0)
    return float(failed / max(1.0, calls))


def _failed_checkouts(recorded: Sequence[RecordedWindow]) -> tuple[Floats, Floats]:
    """Failed checkouts in a window, and whether the users' p99 was above SLOW_MS."""
    gateway, order = SERVICES.index(ENTRY), SERVICES.index(Service.ORDER_SERVICE)
    pairs = [
        (window.true[order, FAILED_COUNT], window.true[gateway, P99_MS] > SLOW_MS)
        for window in recorded
        if window.true[order, FAILED_COUNT] > 0 and window.settled and window.impairments
    ]
    failed, slow = (np.asarray(column, np.float64) for column in zip(*pairs, strict=True))
    return failed, slow


def _slow_checkouts(failed: Floats, slow: Floats) -> list[float]:
    """P(at least one of k failed checkouts is slow) = 1 - (1 - q)^k, q by maximum likelihood."""

    def unlikely(q: float) -> float:
        chance = np.clip(1.0 - (1.0 - q) ** failed, 1e-9, 1.0 - 1e-9)
        return -float(np.sum(slow * np.log(chance) + (1.0 - slow) * np.log(1.0 - chance)))

    q = float(optimize.minimize_scalar(unlikely, bounds=(0.001, 0.9), method="bounded").x)
    return [1.0 - (1.0 - q) ** count for count in range(BINS)]


def residuals(evidence: Evidence, fitted: Mapping[str, Any]) -> dict[str, Any]:
    """What the fitted lines and curves leave unexplained, as root mean squares; some by service."""
    recorded, rest = evidence
    held, added_ms = _held_connections(recorded, rest)
    on_last = fitted["last_connection_ms"] * (held == POOL_SIZE - 1)
    failed, slow = _failed_checkouts(recorded)
    expected = np.asarray(fitted["slow_checkout"])[np.minimum(failed, BINS - 1).astype(int)]
    return {
        "cpu_pct": [_root_mean_square(np.asarray(left)) for left in fitted["cpu_pct"]],
        "memory_pct": [round(float(np.std(settled)), 3) for settled in fitted["memory_pct"]],
        "held_connections_ms": _root_mean_square(
            added_ms - fitted["contention_ms"] * held - on_last
        ),
        "slow_checkout": _root_mean_square(slow - expected),
    }


def _root_mean_square(left: Floats) -> float:
    return round(float(np.sqrt(np.mean(left**2))), 3) if left.size else 0.0
