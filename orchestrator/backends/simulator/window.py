"""What one window of traffic does in the seven services: the physics of the simulator.

A law of `reading`: counts of calls per journey and edge, time-outs that are counted one window
later, latency that piles up towards the gateway, CPU, memory, and kills. It knows no fault by
name; it interprets what `Impairments` say, as the services do. Parameters are fitted, not guessed.
"""

from typing import Any

import numpy as np

from orchestrator.backends.simulator.reading import high, law, low, mixed, where, whole
from orchestrator.backends.simulator.scene import (
    AUTH,
    BINS,
    EDGES,
    GATEWAY,
    INVENTORY_DB,
    LIMIT_MB,
    ORDER,
    ORDER_TO_INVENTORY,
    PAYMENT,
    PRODUCT,
    SERVICES,
    USER_DB,
    Scene,
    Work,
)
from services.mesh.shapes import STALL_CYCLE_S, STALL_FORGIVEN_S
from services.mesh.topology import MAX_REPLICAS, POOL_SIZE

STALL_SHARE = STALL_FORGIVEN_S / STALL_CYCLE_S
FULL_PCT = 100.0
LOWEST_TIMEOUT_MS, TIMEOUT_MS, SLOW_MS, SLOWER_MS = 200.0, 250.0, 300.0, 400.0
"""Bounds of the histogram's buckets around a time-out, as callers and as users see it."""
_TRAFFIC, _CHECKOUTS, _METRICS, _LOSSES = 0, 1, 2, 2 + SERVICES
_DEATH = _LOSSES + EDGES


@law
def quantile(table: Any, service: int, u: Any) -> Any:
    """The value of a table at `u`."""
    return table[service][whole(u * BINS)]


@law
def binomial(n: Any, share: Any, z: Any) -> Any:
    """About Binomial(n, share) of a standard normal: rounded, within 0..n; exact at 0 and 1."""
    spread = np.sqrt(np.maximum(0.0, n * share * (1.0 - share)))
    return np.minimum(n, np.maximum(0.0, np.floor(n * share + spread * z + 0.5)))


@law
def poisson(mean: float, z: Any) -> Any:
    """About Poisson(mean) of a standard normal, by Cornish and Fisher's expansion."""
    skewed = (z * z - 1.0) / 6.0
    return np.maximum(0.0, np.floor(mean + np.sqrt(mean) * z + skewed + 0.5))


@law
def timeout_p99_ms(timed: Any, slow: Any) -> Any:
    """`histogram_quantile` of .99 where `slow` of `timed` calls took as long as a time-out."""
    share = np.minimum(1.0, 0.01 * timed / np.maximum(1.0, slow))
    return TIMEOUT_MS - (TIMEOUT_MS - LOWEST_TIMEOUT_MS) * share


@law
def users_p99_ms(timed: Any, slow: Any, outlasts: Any) -> Any:
    """The same for the users, who wait for the gateway to give up, and some a call before that."""
    share = np.minimum(1.0, 0.01 * timed / np.maximum(1.0, slow))
    fast = SLOW_MS - (SLOW_MS - TIMEOUT_MS) * share
    return where(outlasts, SLOWER_MS - (SLOWER_MS - SLOW_MS) * np.minimum(1.0, 0.01 * timed), fast)


@law
def pass_window(key: Any, scene: Scene) -> None:
    """One window, keyed by (seed, Stream.SIMULATOR, step): fills `measured` of the scene.

    `hanging` comes with the calls of the window before and leaves with those of this one.
    """
    _impair(key, scene)
    _send(key, scene)
    _add_below(scene.work)
    _count(key, scene)
    _use(key, scene)


@law
def _impair(key: Any, scene: Scene) -> None:
    """From replicas to services: who is refused, who hangs, who is slow; and whom leaks kill."""
    p, c, w, out = scene.parameters, scene.condition, scene.work, scene.measured
    death = mixed(key, np.uint64(_DEATH))
    gone = p.died_early + (1.0 - p.died_early) * high(death)
    for s in range(SERVICES):
        serving = refused = hangs = mute = slow = living = c.in_rotation[0] * 0.0
        memory = c.in_rotation[0] * 0.0
        for i in range(MAX_REPLICAS):
            r = s * MAX_REPLICAS + i
            leaked_pct = 100.0 * c.leaked_mb[r] / LIMIT_MB[s]
            began = mixed(c.life[r], np.uint64(r))
            held_pct = quantile(p.memory_pct, s, high(began)) + leaked_pct
            held_pct = held_pct - where(c.started[r] > 0.0, p.memory_started_pct, 0.0)
            killed = where(held_pct > FULL_PCT, c.running[r], 0.0)
            out.killed[r] = killed
            lives = c.running[r] - killed
            memory = where(lives > 0.0, np.maximum(memory, held_pct), memory)
            living = living + lives
            on = c.in_rotation[r]
            silent = 1.0 - (1.0 - c.partitioned[r]) * (1.0 - c.drop_ratio[r])
            stalled = np.maximum(0.0, 1.0 - c.cpu_fraction[r] - STALL_SHARE)
            mute = mute + on * c.partitioned[r]
            dry = where(c.held_connections[r] >= POOL_SIZE, 1.0, 0.0)
            serving = serving + on
            refused = refused + on * killed * gone
            hangs = hangs + on * (1.0 - (1.0 - silent) * (1.0 - stalled) * (1.0 - dry))
            last = where(c.held_connections[r] == POOL_SIZE - 1, p.last_connection_ms, 0.0)
            waits = where(c.cpu_fraction[r] < 1.0, 1000.0 * STALL_FORGIVEN_S * high(key), 0.0)
            slow = slow + on * (p.contention_ms * c.held_connections[r] + last + waits)
        nobody = where(serving > 0.0, 0.0, 1.0)
        serving = np.maximum(1.0, serving)
        w.refused[s] = np.maximum(nobody, refused / serving)
        w.hangs[s] = hangs / serving
        w.silent[s] = mute / serving
        w.slow_ms[s] = slow / serving
        w.serving[s] = serving
        w.open[s] = c.breaker_open[s]
        out.memory_pct[s] = where(living > 0.0, np.minimum(100.0, memory), np.nan)


@law
def _edge(key: Any, scene: Scene, at: Any, n: Any) -> Any:
    """Calls of one edge; how many came back well, from a fallback where the breaker is open.

    at: the callee and the edge.
    """
    p, w, hanging = scene.parameters, scene.work, scene.hanging
    s, edge = at
    chance = mixed(key, np.uint64(_LOSSES + edge))
    sent = n * (1.0 - w.open[s])
    turned_away = binomial(sent, w.refused[s], quantile(p.normal, 0, high(chance)))
    hang = binomial(sent - turned_away, w.hangs[s], quantile(p.normal, 0, low(chance)))
    later = np.floor(hang * p.deferred + low(chance))
    w.sent[edge] = sent
    w.turned_away[edge] = turned_away
    w.late[edge] = hang - later + hanging[edge]
    w.lost[edge] = w.late[edge] + turned_away
    w.shifted[edge] = hanging[edge] - later
    hanging[edge] = later
    return n - turned_away - hang


@law
def _send(key: Any, scene: Scene) -> None:
    """The three journeys, caller before callee; a checkout ends where its first call fails."""
    p, w = scene.parameters, scene.work
    journeys = mixed(key, np.uint64(_TRAFFIC))
    orders = mixed(key, np.uint64(_CHECKOUTS))
    browses = poisson(p.arrivals[0], quantile(p.normal, 0, high(journeys)))
    logins = poisson(p.arrivals[1], quantile(p.normal, 0, low(journeys)))
    checkouts = poisson(p.arrivals[2], quantile(p.normal, 0, high(orders)))
    rounding = low(orders)
    arrivals = browses + logins + checkouts
    entered = _edge(key, scene, (GATEWAY, GATEWAY), arrivals) / np.maximum(1.0, arrivals)
    browses = np.floor(browses * entered + rounding)
    signing_in = np.floor((logins + checkouts) * entered + rounding)
    listed = _edge(key, scene, (PRODUCT, PRODUCT), browses) * (1.0 - w.open[PRODUCT])
    _edge(key, scene, (INVENTORY_DB, INVENTORY_DB), listed)
    asked = _edge(key, scene, (AUTH, AUTH), signing_in) * (1.0 - w.open[AUTH])
    found = _edge(key, scene, (USER_DB, USER_DB), asked)
    well = where(w.open[AUTH] > 0.0, signing_in, found) / np.maximum(1.0, signing_in)
    buying = np.minimum(checkouts, np.floor(checkouts * entered * well + rounding))
    ordered = _edge(key, scene, (ORDER, ORDER), buying) * (1.0 - w.open[ORDER])
    reserved = _edge(key, scene, (INVENTORY_DB, ORDER_TO_INVENTORY), ordered)
    _edge(key, scene, (PAYMENT, PAYMENT), reserved)


@law
def _add_below(w: Work) -> None:
    """What hangs or fails below, hangs or fails above: from edges to services."""
    for total in (w.sent, w.turned_away):
        total[INVENTORY_DB] = total[INVENTORY_DB] + total[ORDER_TO_INVENTORY]
    for total in (w.late, w.lost, w.shifted):
        total[AUTH] = total[AUTH] + total[USER_DB]
        total[PRODUCT] = total[PRODUCT] + total[INVENTORY_DB]
        total[ORDER] = total[ORDER] + total[ORDER_TO_INVENTORY] + total[PAYMENT]
        total[INVENTORY_DB] = total[INVENTORY_DB] + total[ORDER_TO_INVENTORY]
        total[GATEWAY] = total[GATEWAY] + total[AUTH] + total[PRODUCT] + total[ORDER]
    slow = w.slow_ms
    slow[AUTH] = slow[AUTH] + slow[USER_DB] * (1.0 - w.open[USER_DB])
    items_ms = slow[INVENTORY_DB] * (1.0 - w.open[INVENTORY_DB])
    slow[PRODUCT] = slow[PRODUCT] + items_ms
    slow[ORDER] = slow[ORDER] + items_ms + slow[PAYMENT] * (1.0 - w.open[PAYMENT])
    checkout_ms = slow[AUTH] * (1.0 - w.open[AUTH]) + slow[ORDER] * (1.0 - w.open[ORDER])
    browse_ms = slow[PRODUCT] * (1.0 - w.open[PRODUCT])
    slow[GATEWAY] = slow[GATEWAY] + np.maximum(checkout_ms, browse_ms)


@law
def _count(key: Any, scene: Scene) -> None:
    """Counts and latencies of each service, as its callers see them."""
    p, w, out = scene.parameters, scene.work, scene.measured
    for s in range(SERVICES):
        calls = np.maximum(0.0, w.sent[s] + w.shifted[s])
        failed = np.minimum(calls, w.lost[s])
        timed = calls - np.minimum(calls, w.turned_away[s])
        chance = mixed(key, np.uint64(_METRICS + s))
        well_ms = quantile(p.latency_ms, s, high(chance)) + w.slow_ms[s]
        if s == GATEWAY:
            checkouts = np.minimum(w.late[ORDER], BINS - 1.0)
            outlasts = low(chance) < p.slow_checkout[whole(checkouts)]
            late_ms = users_p99_ms(timed, w.late[s], outlasts)
        else:
            late_ms = timeout_p99_ms(timed, w.late[s])
        p99_ms = where(w.late[s] > 0.0, late_ms, well_ms)
        out.calls[s] = calls
        out.failed[s] = failed
        out.p99_ms[s] = where(timed > 0.0, p99_ms, np.nan)
        out.answered_p99_ms[s] = where(calls > failed, well_ms, np.nan)


@law
def _use(key: Any, scene: Scene) -> None:
    """CPU of the busiest replica: a line over the calls it worked on, and what was left of it."""
    p, c, w, out = scene.parameters, scene.condition, scene.work, scene.measured
    for s in range(SERVICES):
        chance = mixed(key, np.uint64(_METRICS + s))
        worked = (w.sent[s] - w.turned_away[s]) * (1.0 - w.silent[s]) / w.serving[s]
        lost = np.maximum(0.0, w.lost[s] - w.turned_away[s]) / w.serving[s]
        used = p.cpu_idle_pct[s] + p.cpu_call_pct[s] * worked + p.cpu_lost_pct[s] * lost
        used = used + quantile(p.cpu_pct, s, low(chance))
        first, second = s * MAX_REPLICAS, s * MAX_REPLICAS + 1
        begun = np.maximum(c.started[first], c.started[second])
        idle = where(w.sent[s] <= w.turned_away[s], begun, 0.0)
        used = where(idle > 0.0, p.cpu_started_pct, used)
        used = used + np.maximum(c.neighbour_cpu_pct[first], c.neighbour_cpu_pct[second])
        lives = out.memory_pct[s] == out.memory_pct[s]
        out.cpu_pct[s] = where(lives, np.minimum(100.0, np.maximum(0.1, used)), np.nan)
