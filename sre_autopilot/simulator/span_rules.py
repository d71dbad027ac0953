"""The rules of spans by NumPy, over all calls of all lanes at once; see `span_draws`."""

import math
from typing import Any, NamedTuple, Protocol

import numpy as np

from orchestrator import noise
from sre_autopilot.history.row_layout import SPAN_EDGES
from sre_autopilot.simulator.rules import calls
from sre_autopilot.simulator.rules.array_ops import fold_key, uniform_of_key
from sre_autopilot.simulator.rules.traffic import TIMEOUT_MS
from sre_autopilot.simulator.telemetry import EDGE_NUMBERS, EDGES, FASTEST_SHARE, PLACE_BITS

_ROWS = np.array(EDGE_NUMBERS)
SLOWEST_IS_P99 = 99
"""Calls up to which the nearest rank of a p99 is the last one."""


class Calls(NamedTuple):
    """Calls of one window that have spans, one row each, ordered by their starts in each lane."""

    group: Any
    """Lane and edge in one number: lane * len(SPAN_EDGES) + place in SPAN_EDGES."""
    place: Any
    """In the order of all starts of the lane, from 0: the index in the key of its loss."""
    latency_ms: Any
    failed: Any


class Counted(NamedTuple):
    """What the spans that have arrived show, by group; see `Calls`.

    made, failed: how many calls. latency_p99_ms: by nearest rank, 0 without a call.
    first: place of the first call in its window; inf without one.
    """

    made: Any
    failed: Any
    latency_p99_ms: Any
    first: Any


class SpanRules(Protocol):
    """Two steps, which an engine may carry out in its own way, to the same bits."""

    def draw_calls(self, table: Any, lanes: Any, keys: Any) -> Calls:
        """Calls of the windows of some lanes. table: (lanes, CALL_ROWS); keys: (lanes,) uint64."""
        ...

    def count_arrived(self, windows: Any, lags: Any, loss_keys: Any) -> Counted:
        """Of all lanes. windows: `Calls` of the last ones, the newest first. lags: (lanes, edges),
        which of them an edge's spans show now, below 0 for none. loss_keys: (lanes,) uint64.
        """
        ...


def draw_calls(table: Any, lanes: Any, keys: Any) -> Calls:
    """See `SpanRules`."""
    edges = table.reshape(len(lanes), -1, calls.CALL_WIDTH)[:, _ROWS].reshape(-1, calls.CALL_WIDTH)
    totals = edges[:, calls.TOTAL].astype(np.int64)
    # One row a call: number of the edge in the flat table, repeated as often as it was called.
    flat = np.repeat(np.arange(totals.size), totals)
    index = _places(totals)
    of_lane = totals.reshape(len(lanes), -1).sum(axis=1)
    row = np.repeat(np.arange(len(lanes)), of_lane)
    edge = flat - row * len(EDGES)
    draw = np.uint64(2) * ((edge << PLACE_BITS) + index).astype(np.uint64)
    key = np.repeat(keys, of_lane)
    order = in_order(row, uniform_of_key(fold_key(key, draw)))
    by_start = _places(of_lane)
    # Edge 0 is that of the users, who make no spans.
    with_span = edge[order] > 0
    order, by_start = order[with_span], by_start[with_span]
    flat, index = flat[order], index[order]
    share = uniform_of_key(fold_key(key[order], draw[order] + np.uint64(1)))
    failed = index < edges[:, calls.FAILED][flat]
    refused = edges[:, calls.REFUSED][flat]
    hangs = (refused <= index) & (index < refused + edges[:, calls.HUNG][flat])
    answered_ms = edges[:, calls.SLOWEST_MS][flat] * (FASTEST_SHARE + (1.0 - FASTEST_SHARE) * share)
    latency_ms = np.where(hangs & failed, TIMEOUT_MS, answered_ms)
    latency_ms = np.where(index < refused, 0.0, latency_ms)
    group = lanes[row[order]] * len(SPAN_EDGES) + edge[order] - 1
    return Calls(group, by_start, latency_ms, failed)


def _places(counts: Any) -> Any:
    """Place of each row in its group, from 0; groups of so many rows follow one another."""
    return np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)


def in_order(row: Any, start: Any) -> Any:
    """`np.lexsort((start, row))` of starts in [0, 1), by one sort of their sum.

    Rounding never swaps two sums: where all of them differ, they are in the order of the pairs.
    """
    moment = row + start
    order = np.argsort(moment)
    if (np.diff(moment[order]) == 0.0).any():
        return np.lexsort((start, row))
    return order


def count_arrived(windows: Any, lags: Any, loss_keys: Any) -> Counted:
    """See `SpanRules`."""
    arrived = [_arrived(window, lags == lag, loss_keys) for lag, window in enumerate(windows)]
    group, place, latency_ms, failed = map(np.concatenate, zip(*arrived, strict=True))
    made = np.bincount(group, minlength=lags.size)
    first = np.full(lags.size, np.inf)
    # An edge's calls are all of one window, the first one first: written last, it stays.
    first[group[::-1]] = place[::-1]
    of_failed = np.bincount(group, failed, lags.size).astype(np.int64)
    return Counted(made, of_failed, p99(latency_ms, group, made), first)


def _arrived(window: Calls, shows: Any, loss_keys: Any) -> Calls:
    """Those calls whose spans arrive now. shows: (lanes, edges), whose window this one is."""
    late = np.flatnonzero(shows.ravel()[window.group])
    keys = loss_keys[window.group[late] // len(SPAN_EDGES)]
    draws = uniform_of_key(fold_key(keys, window.place[late].astype(np.uint64)))
    kept = late[draws >= noise.SPAN_LOSS_RATIO]
    return Calls(*(values[kept] for values in window))


def p99(latency_ms: Any, group: Any, made: Any) -> Any:
    """Of each group by nearest rank: up to 99 calls, that is the slowest; (groups,)."""
    slowest = np.zeros(len(made))
    np.maximum.at(slowest, group, latency_ms)
    for large in np.flatnonzero(made > SLOWEST_IS_P99):
        of_group = np.sort(latency_ms[group == large])
        slowest[large] = of_group[math.ceil(0.99 * len(of_group)) - 1]
    return slowest
