"""What one window of traffic does in the seven services: the physics of the simulator.

A law of `reading`: counts of calls per journey and edge, time-outs that are counted one window
later, latency that piles up towards the gateway, CPU, memory, and kills. It knows no fault by
name; it interprets what `Impairments` say, as the services do. Parameters are fitted, not guessed.
"""

from typing import Any

import numpy as np

from sre_autopilot.simulator.rules.array_ops import (
    column,
    each,
    entry,
    high,
    law,
    looked_up,
    low,
    mixed,
    picked,
    real,
    some,
    unsigned,
    where,
    whole,
)
from sre_autopilot.simulator.rules.window_arrays import (
    AGES,
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
    Condition,
    Parameters,
    Scene,
    Work,
)
from sre_autopilot.world.shapes import STALL_CYCLE_S, STALL_FORGIVEN_S
from sre_autopilot.world.topology import MAX_REPLICAS, POOL_SIZE

STALL_SHARE = STALL_FORGIVEN_S / STALL_CYCLE_S
FULL_PCT = 100.0
LOWEST_TIMEOUT_MS, TIMEOUT_MS, SLOW_MS, SLOWER_MS = 200.0, 250.0, 300.0, 400.0
"""Bounds of the histogram's buckets around a time-out, as callers and as users see it."""
_TRAFFIC, _CHECKOUTS, _METRICS, _LOSSES = 0, 1, 2, 2 + SERVICES
_EARLY = _LOSSES + EDGES
_DEATH = _EARLY + EDGES


@law
def quantile(table: Any, s: Any, u: Any) -> Any:
    """The value of a service's table at `u`."""
    return looked_up(table, s, whole(u * BINS))


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
def users_p99_ms(timed: Any, slow: Any, outlasts: Any) -> Any:
    """`histogram_quantile` of .99 at the users, who wait until the gateway gives up; some wait for
    a call before that, too.
    """
    share = np.minimum(1.0, 0.01 * timed / np.maximum(1.0, slow))
    fast = SLOW_MS - (SLOW_MS - TIMEOUT_MS) * share
    return where(outlasts, SLOWER_MS - (SLOWER_MS - SLOW_MS) * np.minimum(1.0, 0.01 * timed), fast)


@law
def pass_window(key: Any, life: Any, scene: Scene) -> None:
    """One window: fills `measured` of the scene, and what it carries over to the next.

    key: of (seed, Stream.SIMULATOR, step).
    life: of (seed, Stream.LIFE, step), for processes that begin in this window.
    """
    _be_born(life, scene)
    _impair(key, scene)
    _send(key, scene)
    _add_below(scene.work)
    _measure(key, scene)


@law
def _be_born(life: Any, scene: Scene) -> None:
    """Memory of processes that begin: drawn once in a life."""
    p, c = scene.parameters, scene.condition
    for s in each(SERVICES):
        for i in range(MAX_REPLICAS):
            r = s * MAX_REPLICAS + i
            new = (c.age[r] == 0.0) & (c.running[r] > 0.0)
            if some(new):
                drawn = quantile(p.memory_pct, s, high(mixed(life, unsigned(column(r)))))
                c.rest_pct[r] = where(new, drawn, c.rest_pct[r])


@law
def _live(p: Parameters, c: Condition, r: Any, s: Any) -> Any:
    """Memory of a replica, in percent of its limit, before the kernel has its say."""
    untaken = picked(p.memory_young_pct, whole(np.minimum(c.age[r], AGES - 1.0)))
    return c.rest_pct[r] + FULL_PCT * c.leaked_mb[r] / entry(LIMIT_MB, s) - untaken


@law
def _impair(key: Any, scene: Scene) -> None:
    """From replicas to services: who is refused, who hangs, who is slow; and whom leaks kill."""
    p, c, w, out = scene.parameters, scene.condition, scene.work, scene.measured
    chance, away = mixed(key, np.uint64(_DEATH)), scene.carried.away
    gone = p.died_early + (1.0 - p.died_early) * high(chance)
    late = 2.0 * p.rejoins_late * low(chance)
    for s in each(SERVICES):
        for name in (w.serving, w.refused, w.hangs, w.silent, w.slow_ms):
            name[s] = 0.0
        w.open[s] = c.breaker_open[s]
        out.memory_pct[s] = np.nan
        for i in range(MAX_REPLICAS):
            r = s * MAX_REPLICAS + i
            on = c.in_rotation[r]
            out.killed[r] = 0.0
            if some(c.running[r] > 0.0):
                held_pct = _live(p, c, r, s)
                killed = where(held_pct > FULL_PCT, c.running[r], 0.0)
                out.killed[r] = killed
                memory = np.fmax(out.memory_pct[s], np.minimum(FULL_PCT, held_pct))
                out.memory_pct[s] = where(c.running[r] > killed, memory, out.memory_pct[s])
                w.serving[s] = w.serving[s] + on
                w.refused[s] = w.refused[s] + on * killed * gone
                _slow_down(key, scene, r, s)
        # Of one replica or of two: halves are exact, and a division takes long.
        share = where(w.serving[s] > 1.0, 0.5, w.serving[s])
        refused = np.maximum(w.refused[s] * share, where(away[s] > 0.0, late, 0.0))
        w.refused[s] = where(w.serving[s] > 0.0, refused, 1.0)
        away[s] = real(w.serving[s] == 0.0)
        w.hangs[s], w.silent[s] = w.hangs[s] * share, w.silent[s] * share
        w.slow_ms[s], w.share[s] = w.slow_ms[s] * share, share


@law
def _slow_down(key: Any, scene: Scene, r: Any, s: Any) -> None:
    """Adds what the calls to one replica suffer to its service."""
    p, c, w = scene.parameters, scene.condition, scene.work
    on, held = c.in_rotation[r], c.held_connections[r]
    starved = c.cpu_fraction[r] < 1.0
    if some((c.partitioned[r] > 0.0) | (c.drop_ratio[r] > 0.0) | starved | (held > 0.0)):
        well = (1.0 - c.partitioned[r]) * (1.0 - c.drop_ratio[r])
        well = well * (1.0 - np.maximum(0.0, 1.0 - c.cpu_fraction[r] - STALL_SHARE))
        well = well * real(held < POOL_SIZE)
        last_ms = where(held == POOL_SIZE - 1, p.last_connection_ms, 0.0)
        stalled_ms = where(starved, 1000.0 * STALL_FORGIVEN_S * high(key), 0.0)
        w.hangs[s] = w.hangs[s] + on * (1.0 - well)
        w.silent[s] = w.silent[s] + on * c.partitioned[r]
        w.slow_ms[s] = w.slow_ms[s] + on * (p.contention_ms * held + last_ms + stalled_ms)


@law
def _edge(key: Any, scene: Scene, at: Any, n: Any) -> Any:
    """Calls of one edge; how many came back well, from a fallback where the breaker is open.

    at: the callee and the edge.
    """
    p, w, hanging = scene.parameters, scene.work, scene.carried.hanging
    s, edge = at
    sent = n * (1.0 - w.open[s])
    opening = scene.condition.breaker_new[s]
    if some(opening > 0.0):
        z = quantile(p.normal, 0, high(mixed(key, np.uint64(_EARLY + edge))))
        sent = sent + opening * binomial(n, p.early, z)
    turned_away = hang = later = 0.0 * n
    if some((w.refused[s] > 0.0) | (w.hangs[s] > 0.0)):
        chance = mixed(key, np.uint64(_LOSSES + edge))
        turned_away = binomial(sent, w.refused[s], quantile(p.normal, 0, high(chance)))
        hang = binomial(sent - turned_away, w.hangs[s], quantile(p.normal, 0, low(chance)))
        # Before a breaker opens, all come early enough to be counted in their own window.
        later = np.floor(hang * p.deferred + low(chance)) * (1.0 - w.open[s])
    # Who is killed while calls hang at it closes their connections: they fail at once.
    cut = where(w.share[s] > 0.0, 0.0, hanging[edge])
    w.sent[edge] = sent
    w.turned_away[edge] = turned_away + cut
    w.late[edge] = hang - later + hanging[edge] - cut
    w.lost[edge] = w.late[edge] + w.turned_away[edge]
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
def _add(w: Work, caller: int, edge: int) -> None:
    """What became of the calls below, at their caller. If that is gone, those who wait for it learn
    so at once, and nobody tells of the calls that it had made.
    """
    alone = (w.share[caller] == 0.0) & (w.late[edge] > 0.0)
    if some(alone):
        forgotten = where(alone, w.late[edge], 0.0)
        for total in (w.turned_away, w.lost, w.shifted):
            total[caller] = total[caller] + forgotten
        for total in (w.late, w.lost, w.shifted):
            total[edge] = total[edge] - forgotten
    for total in (w.late, w.lost, w.shifted):
        total[caller] = total[caller] + total[edge]


@law
def _add_below(w: Work) -> None:
    """What hangs or fails below, hangs or fails above: from edges to services."""
    _add(w, AUTH, USER_DB)
    _add(w, PRODUCT, INVENTORY_DB)
    _add(w, ORDER, ORDER_TO_INVENTORY)
    _add(w, ORDER, PAYMENT)
    for total in (w.sent, w.turned_away, w.late, w.lost, w.shifted):
        total[INVENTORY_DB] = total[INVENTORY_DB] + total[ORDER_TO_INVENTORY]
    for s in (AUTH, PRODUCT, ORDER):
        _add(w, GATEWAY, s)
    slow = w.slow_ms
    slow[AUTH] = slow[AUTH] + slow[USER_DB] * (1.0 - w.open[USER_DB])
    items_ms = slow[INVENTORY_DB] * (1.0 - w.open[INVENTORY_DB])
    slow[PRODUCT] = slow[PRODUCT] + items_ms
    slow[ORDER] = slow[ORDER] + items_ms + slow[PAYMENT] * (1.0 - w.open[PAYMENT])
    checkout_ms = slow[AUTH] * (1.0 - w.open[AUTH]) + slow[ORDER] * (1.0 - w.open[ORDER])
    browse_ms = slow[PRODUCT] * (1.0 - w.open[PRODUCT])
    slow[GATEWAY] = slow[GATEWAY] + np.maximum(checkout_ms, browse_ms)


@law
def _measure(key: Any, scene: Scene) -> None:
    """What each service's callers and its container tell, by one key a service."""
    for s in each(SERVICES):
        drawn = mixed(key, unsigned(column(_METRICS + s)))
        _count(high(drawn), scene, s)
        _use(low(drawn), scene, s)
    w, out = scene.work, scene.measured
    if some(w.late[GATEWAY] > 0.0):
        checkouts = whole(np.minimum(w.late[ORDER], BINS - 1.0))
        u = low(mixed(key, np.uint64(_METRICS + GATEWAY)))
        outlasts = u < picked(scene.parameters.slow_checkout, checkouts)
        late_ms = users_p99_ms(out.calls[GATEWAY], w.late[GATEWAY], outlasts)
        out.p99_ms[GATEWAY] = where(w.late[GATEWAY] > 0.0, late_ms, out.p99_ms[GATEWAY])


@law
def _count(u: Any, scene: Scene, s: Any) -> None:
    """Counts and latencies of a service, as its callers see them."""
    w, out = scene.work, scene.measured
    calls = np.maximum(0.0, w.sent[s] + w.shifted[s])
    failed = np.minimum(calls, w.lost[s])
    timed = calls - np.minimum(calls, w.turned_away[s])
    well_ms = quantile(scene.parameters.latency_ms, s, u) + w.slow_ms[s]
    p99_ms = well_ms
    if some(w.late[s] > 0.0):
        share = np.minimum(1.0, 0.01 * timed / np.maximum(1.0, w.late[s]))
        late_ms = TIMEOUT_MS - (TIMEOUT_MS - LOWEST_TIMEOUT_MS) * share
        p99_ms = where(w.late[s] > 0.0, late_ms, well_ms)
    out.calls[s], out.failed[s] = calls, failed
    out.p99_ms[s] = where(timed > 0.0, p99_ms, np.nan)
    out.answered_p99_ms[s] = where(calls > failed, well_ms, np.nan)


@law
def _use(u: Any, scene: Scene, s: Any) -> None:
    """CPU of the busiest replica: a line over the calls it worked on, and what was left of it."""
    p, c, w, out = scene.parameters, scene.condition, scene.work, scene.measured
    worked = np.maximum(0.0, w.sent[s] - w.turned_away[s])
    worked = worked * (1.0 - w.silent[s]) * w.share[s]
    lost = np.maximum(0.0, w.lost[s] - w.turned_away[s]) * w.share[s]
    used = entry(p.cpu_idle_pct, s) + entry(p.cpu_call_pct, s) * worked
    used = used + entry(p.cpu_lost_pct, s) * lost + quantile(p.cpu_pct, s, u)
    first, second = s * MAX_REPLICAS, s * MAX_REPLICAS + 1
    begun = np.maximum(c.started[first], c.started[second])
    idle = where(w.sent[s] <= w.turned_away[s], begun, 0.0)
    used = where(idle > 0.0, p.cpu_started_pct, used)
    used = used + np.maximum(c.neighbour_cpu_pct[first], c.neighbour_cpu_pct[second])
    used = np.minimum(FULL_PCT, np.maximum(0.1, used))
    out.cpu_pct[s] = where(np.isnan(out.memory_pct[s]), np.nan, used)
