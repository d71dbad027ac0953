"""What one window of traffic does in the seven services: calls, latency, CPU, memory, kills.

Counts calls per journey and edge, carries time-outs into the window in which they are counted,
adds latency up towards the gateway. Effects are those of `chaos.fault.Impairments`, as the
services of `services/` show them; no fault is known by name. Parameters are fitted
(`calibration.fit`), not guessed. Never changes a replica.
"""

from typing import Any

import numpy as np

from sre_autopilot.simulator.rules.array_ops import (
    any_lane,
    each_row,
    fold_key,
    lookup,
    lower_uniform,
    row_constant,
    row_numbers,
    rule,
    take,
    to_float,
    to_int,
    to_key,
    upper_uniform,
    where,
    zeros_like,
)
from sre_autopilot.simulator.rules.window_arrays import (
    AGES,
    AUTH,
    BINS,
    EDGE_COUNT,
    GATEWAY,
    INVENTORY_DB,
    LIMIT_MB,
    ORDER,
    ORDER_TO_INVENTORY,
    PAYMENT,
    PRODUCT,
    SERVICE_COUNT,
    USER_DB,
    Condition,
    Parameters,
    WindowArrays,
    Work,
)
from sre_autopilot.world.shapes import STALL_CYCLE_S, STALL_FORGIVEN_S
from sre_autopilot.world.topology import MAX_REPLICAS, POOL_SIZE

STALL_SHARE = STALL_FORGIVEN_S / STALL_CYCLE_S
TINY = 1e-9
"""The least that anything is divided by, in place of 0."""
FULL_PCT = 100.0
LOWEST_TIMEOUT_MS, TIMEOUT_MS, SLOW_MS, SLOWER_MS = 200.0, 250.0, 300.0, 400.0
"""Bounds of the histogram buckets (`world.signals.DURATION_BUCKETS_S`) that hold time-outs: the
first two as callers see them, the last two as users see them."""
# Index parts of a window's keys, none used twice: one draw each, then one a service or edge.
_TRAFFIC, _CHECKOUTS, _METRICS, _LOSSES = 0, 1, 2, 2 + SERVICE_COUNT
_EARLY = _LOSSES + EDGE_COUNT
_KILL_TIME = _EARLY + EDGE_COUNT


@rule
def quantile(table: Any, s: Any, u: Any) -> Any:
    """The quantile of service `s` at the share `u` in (0, 1): a step function of BINS values."""
    return lookup(table, s, to_int(u * BINS))


@rule
def binomial(n: Any, share: Any, z: Any) -> Any:
    """About Binomial(n, share), from the standard normal `z`: a whole number, 0 to n.

    The normal approximation (mean n p, variance n p (1 - p)), rounded; exact for shares 0 and 1.
    """
    deviation = np.sqrt(np.maximum(0.0, n * share * (1.0 - share)))
    return np.minimum(n, np.maximum(0.0, np.floor(n * share + deviation * z + 0.5)))


@rule
def poisson(mean: float, z: Any) -> Any:
    """About Poisson(mean), from the standard normal `z`: a whole number, 0 or more.

    Cornish and Fisher's expansion to the skewness term: m + sqrt(m) z + (z^2 - 1) / 6, rounded
    ("Moments and cumulants in the specification of distributions", 1938).
    """
    skewness_term = (z * z - 1.0) / 6.0
    return np.maximum(0.0, np.floor(mean + np.sqrt(mean) * z + skewness_term + 0.5))


@rule
def users_p99_ms(timed: Any, slow: Any, outlasts: Any) -> Any:
    """p99 in ms at the users, `slow` of whose `timed` calls end when the gateway gives up.

    `histogram_quantile(.99)` of Prometheus, with the slow calls in the bucket up to SLOW_MS; or,
    where one `outlasts` it (it waited for an earlier call too), in the bucket up to SLOWER_MS.
    """
    # Within its bucket the rank of the p99 lies 1 % of all calls below the top.
    share = np.minimum(1.0, 0.01 * timed / np.maximum(1.0, slow))
    p99_ms = SLOW_MS - (SLOW_MS - TIMEOUT_MS) * share
    outlasting_ms = SLOWER_MS - (SLOWER_MS - SLOW_MS) * np.minimum(1.0, 0.01 * timed)
    return where(outlasts, outlasting_ms, p99_ms)


@rule
def run_window(key: Any, start_key: Any, arrays: WindowArrays) -> None:
    """Runs one window: fills `measured` and `work`, updates `carried` and `condition.rest_pct`.

    key: of (seed, Stream.SIMULATOR, step), one per lane.
    start_key: of (seed, Stream.PROCESS_START, step), for processes that start in this window.
    """
    _draw_rest_memory(start_key, arrays)
    _combine_replicas(key, arrays)
    _send_journeys(key, arrays)
    _propagate_to_callers(arrays.work)
    _measure(key, arrays)


@rule
def _draw_rest_memory(start_key: Any, arrays: WindowArrays) -> None:
    """Memory at rest of processes that start: drawn once, it stays until the process ends."""
    p, c = arrays.parameters, arrays.condition
    for s in each_row(SERVICE_COUNT):
        for i in range(MAX_REPLICAS):
            r = s * MAX_REPLICAS + i
            starts = (c.age[r] == 0.0) & (c.running[r] > 0.0)
            if any_lane(starts):
                u = upper_uniform(fold_key(start_key, to_key(row_numbers(r))))
                c.rest_pct[r] = where(starts, quantile(p.memory_pct, s, u), c.rest_pct[r])


@rule
def _memory_pct(p: Parameters, c: Condition, r: Any, s: Any) -> Any:
    """Memory that a replica asks for, in percent of its limit; above 100 the kernel kills it."""
    untaken = take(p.memory_young_pct, to_int(np.minimum(c.age[r], AGES - 1.0)))
    return c.rest_pct[r] + FULL_PCT * c.leaked_mb[r] / row_constant(LIMIT_MB, s) - untaken


@rule
def _combine_replicas(key: Any, arrays: WindowArrays) -> None:
    """From replicas to services: shares of calls refused and hanging, p99 added, kills."""
    p, c, w, out = arrays.parameters, arrays.condition, arrays.work, arrays.measured
    chance, unserved = fold_key(key, np.uint64(_KILL_TIME)), arrays.carried.unserved
    # A killed process is gone for `died_early` of the window at least, a share between it and 1;
    # a service that had no replica is refused for `rejoins_late` of the window on average.
    gone = p.died_early + (1.0 - p.died_early) * upper_uniform(chance)
    late = 2.0 * p.rejoins_late * lower_uniform(chance)
    for s in each_row(SERVICE_COUNT):
        for name in (w.serving, w.refused, w.hangs, w.silent, w.slow_ms):
            name[s] = 0.0
        w.open[s] = c.breaker_open[s]
        out.memory_pct[s] = np.nan
        for i in range(MAX_REPLICAS):
            r = s * MAX_REPLICAS + i
            on = c.in_rotation[r]
            out.killed[r] = 0.0
            if any_lane(c.running[r] > 0.0):
                memory_pct = _memory_pct(p, c, r, s)
                killed = where(memory_pct > FULL_PCT, c.running[r], 0.0)
                out.killed[r] = killed
                # The worst replica is reported; fmax ignores the nan of "no process yet".
                worst = np.fmax(out.memory_pct[s], np.minimum(FULL_PCT, memory_pct))
                out.memory_pct[s] = where(c.running[r] > killed, worst, out.memory_pct[s])
                w.serving[s] = w.serving[s] + on
                w.refused[s] = w.refused[s] + on * killed * gone
                _add_impaired_calls(key, arrays, r, s)
        # 1 / serving, of one replica or of two: halves are exact, and a division takes long.
        share = where(w.serving[s] > 1.0, 0.5, w.serving[s])
        refused = np.maximum(w.refused[s] * share, where(unserved[s] > 0.0, late, 0.0))
        w.refused[s] = where(w.serving[s] > 0.0, refused, 1.0)
        unserved[s] = to_float(w.serving[s] == 0.0)
        w.slow_ms[s], w.share[s] = w.slow_ms[s] * share, share
        _begin_with_the_last(arrays, s)


@rule
def _begin_with_the_last(arrays: WindowArrays, s: Any) -> None:
    """Shares of the calls at service `s` that hang, from the sums over its replicas.

    Impairments change a little after a window has begun, as breakers do. Calls that were made
    before hang as in the last window, and are early enough to time out in this one.
    """
    p, w, carried = arrays.parameters, arrays.work, arrays.carried
    hangs, silent = w.hangs[s] * w.share[s], w.silent[s] * w.share[s]
    before = where(arrays.condition.breaker_new[s] > 0.0, 1.0, p.early)
    w.hangs[s] = hangs + before * (carried.hung[s] - hangs)
    w.silent[s] = silent + before * (carried.silent[s] - silent)
    counted_later = p.deferred * hangs / np.maximum(w.hangs[s], TINY)
    w.deferred[s] = np.minimum(1.0, counted_later) * (1.0 - w.open[s])
    carried.hung[s], carried.silent[s] = hangs, silent


@rule
def _add_impaired_calls(key: Any, arrays: WindowArrays, r: Any, s: Any) -> None:
    """Adds what is wrong with the calls to replica `r` to its service `s`."""
    p, c, w = arrays.parameters, arrays.condition, arrays.work
    on, held = c.in_rotation[r], c.held_connections[r]
    starved = c.cpu_fraction[r] < 1.0
    if any_lane((c.partitioned[r] > 0.0) | (c.drop_ratio[r] > 0.0) | starved | (held > 0.0)):
        # Causes are independent, so the shares of calls that get an answer multiply.
        answered = (1.0 - c.partitioned[r]) * (1.0 - c.drop_ratio[r])
        # `world.shapes.cpu_fraction_for` the other way round: lost = 1 - f - forgiven / cycle.
        stalled = np.maximum(0.0, 1.0 - c.cpu_fraction[r] - STALL_SHARE)
        answered = answered * (1.0 - np.minimum(1.0, p.stall_lost * stalled))
        answered = answered * to_float(held < POOL_SIZE)
        last_ms = where(held == POOL_SIZE - 1, p.last_connection_ms, 0.0)
        stalled_ms = where(starved, 1000.0 * STALL_FORGIVEN_S * upper_uniform(key), 0.0)
        w.hangs[s] = w.hangs[s] + on * (1.0 - answered)
        w.silent[s] = w.silent[s] + on * c.partitioned[r]
        w.slow_ms[s] = w.slow_ms[s] + on * (p.contention_ms * held + last_ms + stalled_ms)


@rule
def _call_edge(key: Any, arrays: WindowArrays, places: Any, n: Any) -> Any:
    """Makes `n` calls on one edge. Returns how many succeed, those answered by a fallback included.

    places: the callee and the edge, by number.
    """
    p, w, hanging = arrays.parameters, arrays.work, arrays.carried.hanging
    s, edge = places
    sent = n * (1.0 - w.open[s])
    opening = arrays.condition.breaker_new[s]
    if any_lane(opening > 0.0):
        # A breaker opens a little after its window has begun: the first calls still go out.
        z = quantile(p.normal, 0, upper_uniform(fold_key(key, np.uint64(_EARLY + edge))))
        sent = sent + opening * binomial(n, p.early, z)
    turned_away = hang = later = zeros_like(n)
    if any_lane((w.refused[s] > 0.0) | (w.hangs[s] > 0.0)):
        chance = fold_key(key, np.uint64(_LOSSES + edge))
        refused_z = quantile(p.normal, 0, upper_uniform(chance))
        hang_z = quantile(p.normal, 0, lower_uniform(chance))
        late_z = quantile(p.normal, 0, lower_uniform(fold_key(key, np.uint64(_EARLY + edge))))
        turned_away = binomial(sent, w.refused[s], refused_z)
        hang = binomial(sent - turned_away, w.hangs[s], hang_z)
        # A call made late in the window times out, and is counted, in the next one.
        later = binomial(hang, w.deferred[s], late_z)
    # A service with no replica left closes the connections of the calls that hang at it: those
    # carried over from the last window fail at once.
    cut = where(w.share[s] > 0.0, 0.0, hanging[edge])
    w.sent[edge] = sent
    w.turned_away[edge] = turned_away + cut
    w.late[edge] = hang - later + hanging[edge] - cut
    w.lost[edge] = w.late[edge] + w.turned_away[edge]
    w.shifted[edge] = hanging[edge] - later
    hanging[edge] = later
    return n - turned_away - hang


@rule
def _send_journeys(key: Any, arrays: WindowArrays) -> None:
    """Makes the calls of the three journeys, caller before callee.

    A journey goes on only where the call before it succeeded; its count is cut by the share of
    calls that did, rounded at random by a draw that all of them share.
    """
    p, w = arrays.parameters, arrays.work
    journeys = fold_key(key, np.uint64(_TRAFFIC))
    orders = fold_key(key, np.uint64(_CHECKOUTS))
    browses = poisson(p.arrivals[0], quantile(p.normal, 0, upper_uniform(journeys)))
    logins = poisson(p.arrivals[1], quantile(p.normal, 0, lower_uniform(journeys)))
    checkouts = poisson(p.arrivals[2], quantile(p.normal, 0, upper_uniform(orders)))
    rounding = lower_uniform(orders)
    arrivals = browses + logins + checkouts
    entered = _call_edge(key, arrays, (GATEWAY, GATEWAY), arrivals) / np.maximum(1.0, arrivals)
    browses = np.floor(browses * entered + rounding)
    sign_ins = np.floor((logins + checkouts) * entered + rounding)
    listings = _call_edge(key, arrays, (PRODUCT, PRODUCT), browses) * (1.0 - w.open[PRODUCT])
    _call_edge(key, arrays, (INVENTORY_DB, INVENTORY_DB), listings)
    lookups = _call_edge(key, arrays, (AUTH, AUTH), sign_ins) * (1.0 - w.open[AUTH])
    users = _call_edge(key, arrays, (USER_DB, USER_DB), lookups)
    # Behind an open breaker the gateway's fallback lets everybody in.
    signed_in = where(w.open[AUTH] > 0.0, sign_ins, users) / np.maximum(1.0, sign_ins)
    buyers = np.minimum(checkouts, np.floor(checkouts * entered * signed_in + rounding))
    placed = _call_edge(key, arrays, (ORDER, ORDER), buyers) * (1.0 - w.open[ORDER])
    reserved = _call_edge(key, arrays, (INVENTORY_DB, ORDER_TO_INVENTORY), placed)
    _call_edge(key, arrays, (PAYMENT, PAYMENT), reserved)


@rule
def _add_to_caller(w: Work, caller: int, edge: int) -> None:
    """Adds the calls of `edge` that failed or hung to those of its caller.

    A caller without a replica drops its open calls: whoever waits for it sees them fail at once,
    and no metric reports the calls that it had made.
    """
    gone = (w.share[caller] == 0.0) & (w.late[edge] > 0.0)
    if any_lane(gone):
        dropped = where(gone, w.late[edge], 0.0)
        for total in (w.turned_away, w.lost, w.shifted):
            total[caller] = total[caller] + dropped
        for total in (w.late, w.lost, w.shifted):
            total[edge] = total[edge] - dropped
    for total in (w.late, w.lost, w.shifted):
        total[caller] = total[caller] + total[edge]


@rule
def _propagate_to_callers(w: Work) -> None:
    """What hangs or fails below hangs or fails above; latency below adds to latency above."""
    _add_to_caller(w, AUTH, USER_DB)
    _add_to_caller(w, PRODUCT, INVENTORY_DB)
    _add_to_caller(w, ORDER, ORDER_TO_INVENTORY)
    _add_to_caller(w, ORDER, PAYMENT)
    # From here on the row of inventory_db holds the calls of both its callers.
    for total in (w.sent, w.turned_away, w.late, w.lost, w.shifted):
        total[INVENTORY_DB] = total[INVENTORY_DB] + total[ORDER_TO_INVENTORY]
    for s in (AUTH, PRODUCT, ORDER):
        _add_to_caller(w, GATEWAY, s)
    # Leaves first, so that each sum is complete before it is added to the next.
    slow = w.slow_ms
    slow[AUTH] = slow[AUTH] + slow[USER_DB] * (1.0 - w.open[USER_DB])
    items_ms = slow[INVENTORY_DB] * (1.0 - w.open[INVENTORY_DB])
    slow[PRODUCT] = slow[PRODUCT] + items_ms
    slow[ORDER] = slow[ORDER] + items_ms + slow[PAYMENT] * (1.0 - w.open[PAYMENT])
    checkout_ms = slow[AUTH] * (1.0 - w.open[AUTH]) + slow[ORDER] * (1.0 - w.open[ORDER])
    browse_ms = slow[PRODUCT] * (1.0 - w.open[PRODUCT])
    slow[GATEWAY] = slow[GATEWAY] + np.maximum(checkout_ms, browse_ms)


@rule
def _measure(key: Any, arrays: WindowArrays) -> None:
    """Fills what each service's callers and its container report, from one key a service."""
    for s in each_row(SERVICE_COUNT):
        drawn = fold_key(key, to_key(row_numbers(_METRICS + s)))
        _measure_calls(upper_uniform(drawn), arrays, s)
        _measure_cpu(lower_uniform(drawn), arrays, s)
    w, out = arrays.work, arrays.measured
    if any_lane(w.late[GATEWAY] > 0.0):
        checkouts = to_int(np.minimum(w.late[ORDER], BINS - 1.0))
        u = lower_uniform(fold_key(key, np.uint64(_METRICS + GATEWAY)))
        outlasts = u < take(arrays.parameters.slow_checkout, checkouts)
        late_ms = users_p99_ms(out.calls[GATEWAY], w.late[GATEWAY], outlasts)
        out.p99_ms[GATEWAY] = where(w.late[GATEWAY] > 0.0, late_ms, out.p99_ms[GATEWAY])


@rule
def _measure_calls(u: Any, arrays: WindowArrays, s: Any) -> None:
    """Counts and latencies of a service, as its callers see them."""
    w, out = arrays.work, arrays.measured
    calls = np.maximum(0.0, w.sent[s] + w.shifted[s])
    failed = np.minimum(calls, w.lost[s])
    # A call that is refused at once takes no time, and is in no histogram.
    timed = calls - np.minimum(calls, w.turned_away[s])
    answered_ms = quantile(arrays.parameters.latency_ms, s, u) + w.slow_ms[s]
    p99_ms = answered_ms
    if any_lane(w.late[s] > 0.0):
        # As `users_p99_ms`, with time-outs in the bucket from LOWEST_TIMEOUT_MS to TIMEOUT_MS.
        share = np.minimum(1.0, 0.01 * timed / np.maximum(1.0, w.late[s]))
        late_ms = TIMEOUT_MS - (TIMEOUT_MS - LOWEST_TIMEOUT_MS) * share
        p99_ms = where(w.late[s] > 0.0, late_ms, answered_ms)
    out.calls[s], out.failed[s] = calls, failed
    out.p99_ms[s] = where(timed > 0.0, p99_ms, np.nan)
    out.answered_p99_ms[s] = where(calls > failed, answered_ms, np.nan)


@rule
def _measure_cpu(u: Any, arrays: WindowArrays, s: Any) -> None:
    """CPU of the busiest replica in percent: a fitted line over its calls, plus a residual."""
    p, c, w, out = arrays.parameters, arrays.condition, arrays.work, arrays.measured
    worked_on = np.maximum(0.0, w.sent[s] - w.turned_away[s])
    worked_on = worked_on * (1.0 - w.silent[s]) * w.share[s]
    lost = np.maximum(0.0, w.lost[s] - w.turned_away[s]) * w.share[s]
    used = row_constant(p.cpu_idle_pct, s) + row_constant(p.cpu_call_pct, s) * worked_on
    used = used + row_constant(p.cpu_lost_pct, s) * lost + quantile(p.cpu_pct, s, u)
    first, second = s * MAX_REPLICAS, s * MAX_REPLICAS + 1
    # A process that starts and gets no call uses what starting takes, which hides the line.
    started = np.maximum(c.started[first], c.started[second])
    idle_start = where(w.sent[s] <= w.turned_away[s], started, 0.0)
    used = where(idle_start > 0.0, p.cpu_started_pct, used)
    used = used + np.maximum(c.neighbour_cpu_pct[first], c.neighbour_cpu_pct[second])
    used = np.minimum(FULL_PCT, np.maximum(0.1, used))
    out.cpu_pct[s] = where(np.isnan(out.memory_pct[s]), np.nan, used)
