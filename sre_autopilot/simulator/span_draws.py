"""What the spans of a lane show: the `trace_edges` of an observation, edge by edge.

The draws are those of `simulator.telemetry`, `orchestrator.noise` and `orchestrator.observation`,
over all calls of all lanes at once; tests hold both equal. Changes no lane.
"""

import math
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from orchestrator import noise
from sre_autopilot.history.row_layout import MISSING, SPAN_EDGES, SPAN_FIELDS
from sre_autopilot.simulator.batch import Engine
from sre_autopilot.simulator.rules import calls
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.simulator.rules.array_ops import fold_key, stream_key, uniform_of_key
from sre_autopilot.simulator.rules.traffic import TIMEOUT_MS
from sre_autopilot.simulator.rules.window_arrays import SERVICE_COUNT
from sre_autopilot.simulator.telemetry import EDGE_NUMBERS, EDGES, FASTEST_SHARE, PLACE_BITS
from sre_autopilot.world.draws import Stream
from sre_autopilot.world.topology import Service

_CALLERS = np.array([tuple(Service).index(caller) for caller, _ in SPAN_EDGES])
_ROWS = np.array(EDGE_NUMBERS)
_LAGS = [layout.LAG + s for s in range(SERVICE_COUNT)]
WINDOWS_KEPT = 1 + max(lag for _, lag in noise.LAG_STEPS_BELOW)
_SLOWEST_IS_P99 = 99
"""Calls up to which the nearest rank of a p99 is the last one."""
_LARGEST = 256
"""Calls of an edge in a window up to which rounded error rates stand in a table."""


class _Calls(NamedTuple):
    """Calls of one window that have spans, one row each, ordered by their starts in each lane."""

    group: Any
    """Lane and edge in one number: lane * len(SPAN_EDGES) + place in SPAN_EDGES."""
    place: Any
    """In the order of all starts of the lane, from 0: the index in the key of its loss."""
    latency_ms: Any
    failed: Any


class Edges(NamedTuple):
    """What the spans that have arrived show, (lanes, edges) float64; edges as in SPAN_EDGES.

    error_rate, latency_p99 (ms): MISSING without a call.
    first: place of the edge's first call in its window, by which an observation lists the edges
        of a caller; inf without a call.
    """

    calls: Any
    error_rate: Any
    latency_p99: Any
    first: Any

    def features(self) -> Any:
        """(lanes, SPAN_COUNT) float32: columns by field, then by edge, see `history.row_layout`."""
        return np.concatenate(self[: len(SPAN_FIELDS)], axis=1).astype(np.float32)


class SpanDraws:
    """Keeps the calls of the last windows, as telemetry is up to two windows late."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._windows: list[_Calls] = []

    def load(self, calls: Any, seed_keys: Any, steps: Any) -> None:
        """As if the last windows of every lane, the newest first, had just passed.

        calls: (windows, lanes, CALL_ROWS), all 0 before an episode began; up to WINDOWS_KEPT.
        seed_keys: (lanes,) uint64, the SEED_KEY of those windows. steps: (windows, lanes).
        """
        lanes = np.arange(len(seed_keys))
        self._windows = [
            _calls_made(table, lanes, stream_key(seed_keys, _SPANS, of_window))
            for table, of_window in zip(calls, steps, strict=True)
        ]

    def after_window(self, lanes: Any = None) -> Edges:
        """Those of some lanes, or of all (None), after a window of them has passed."""
        engine = self._engine
        count = len(engine.keys)
        here = np.arange(count) if lanes is None else lanes
        state = engine.state([layout.STEP, *_LAGS])[here]
        keys = engine.keys[here, layout.SEED_KEY]
        made = _calls_made(engine.calls[here], here, stream_key(keys, _SPANS, state[:, 0]))
        if lanes is None:
            self._windows = [made, *self._windows[: WINDOWS_KEPT - 1]]
        else:
            self._windows[0] = _replaced(self._windows[0], made, here, count)
        lags = np.full((count, len(SPAN_EDGES)), -1)
        lags[here] = np.minimum(state[:, 1:], state[:, :1])[:, _CALLERS]
        loss_keys = np.zeros(count, np.uint64)
        loss_keys[here] = stream_key(keys, _SPAN_LOSS, state[:, 0])
        arrived = [
            _arrived(window, lags == lag, loss_keys) for lag, window in enumerate(self._windows)
        ]
        edges = _by_edge(_Calls(*map(np.concatenate, zip(*arrived, strict=True))), count)
        return Edges(*(values[here] for values in edges))


_SPANS, _SPAN_LOSS = np.uint64(Stream.SPANS), np.uint64(Stream.SPAN_LOSS)


def _calls_made(table: Any, lanes: Any, keys: Any) -> _Calls:
    """Calls of the windows of some lanes. table: (lanes, CALL_ROWS); keys: (lanes,) uint64."""
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
    return _Calls(group, by_start, latency_ms, failed)


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


def _replaced(window: _Calls, by: _Calls, lanes: Any, count: int) -> _Calls:
    """`window`, with the calls of some lanes replaced."""
    stays = np.ones(count, np.bool_)
    stays[lanes] = False
    kept = stays[window.group // len(SPAN_EDGES)]
    return _Calls(*(np.concatenate([old[kept], new]) for old, new in zip(window, by, strict=True)))


def _arrived(window: _Calls, shows: Any, loss_keys: Any) -> _Calls:
    """Those calls whose spans arrive now. shows: (lanes, edges), whose window this one is."""
    late = np.flatnonzero(shows.ravel()[window.group])
    keys = loss_keys[window.group[late] // len(SPAN_EDGES)]
    draws = uniform_of_key(fold_key(keys, window.place[late].astype(np.uint64)))
    kept = late[draws >= noise.SPAN_LOSS_RATIO]
    return _Calls(*(values[kept] for values in window))


def _by_edge(arrived: _Calls, count: int) -> Edges:
    """Of all lanes, p99 by nearest rank."""
    groups = count * len(SPAN_EDGES)
    group = arrived.group
    made = np.bincount(group, minlength=groups)
    failed = np.bincount(group, arrived.failed, groups).astype(np.int64)
    called = made > 0
    error_rate, latency_p99 = np.full((2, groups), MISSING)
    error_rate[called] = _error_rates(failed[called], made[called])
    latency_p99[called] = np.rint(_p99(arrived.latency_ms, group, made)[called] * 10.0) / 10.0
    first = np.full(groups, np.inf)
    # An edge's calls are all of one window, the first one first: written last, it stays.
    first[group[::-1]] = arrived.place[::-1]
    values = (made.astype(np.float64), error_rate, latency_p99, first)
    return Edges(*(of_edge.reshape(count, -1) for of_edge in values))


def _p99(latency_ms: Any, group: Any, made: Any) -> Any:
    """Of each group by nearest rank: up to 99 calls, that is the slowest; (groups,)."""
    slowest = np.zeros(len(made))
    np.maximum.at(slowest, group, latency_ms)
    for large in np.flatnonzero(made > _SLOWEST_IS_P99):
        of_group = np.sort(latency_ms[group == large])
        slowest[large] = of_group[math.ceil(0.99 * len(of_group)) - 1]
    return slowest


def _error_rates(failed: Any, made: Any) -> Any:
    """`round(failed / made, 4)`, as Python rounds: NumPy's round differs where a tie is near."""
    if made.size and made.max() > _LARGEST:
        pairs = zip(failed.tolist(), made.tolist(), strict=True)
        return np.array([round(some / all_, 4) for some, all_ in pairs])
    return _rounded_shares()[made, failed]


@cache
def _rounded_shares() -> Any:
    """(_LARGEST + 1, _LARGEST + 1): share of `failed` in `made` calls, at [made, failed]."""
    table = np.zeros((_LARGEST + 1, _LARGEST + 1))
    for made in range(1, _LARGEST + 1):
        table[made, : made + 1] = [round(failed / made, 4) for failed in range(made + 1)]
    return table
