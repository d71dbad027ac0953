"""The rules of spans by Numba, a call at a time. Slow to import: loads the compiler."""

from typing import Any

import numpy as np

from orchestrator import noise
from sre_autopilot.history.row_layout import SPAN_EDGES
from sre_autopilot.simulator.numba_engine import overloads
from sre_autopilot.simulator.numba_engine.compiled import compiled
from sre_autopilot.simulator.rules import calls
from sre_autopilot.simulator.rules.array_ops import fold_key
from sre_autopilot.simulator.rules.traffic import TIMEOUT_MS
from sre_autopilot.simulator.span_rules import SLOWEST_IS_P99, Calls, Counted, p99
from sre_autopilot.simulator.telemetry import EDGE_NUMBERS, EDGES, FASTEST_SHARE, PLACE_BITS

_EDGE_COUNT, _WITH_SPANS = len(EDGES), len(SPAN_EDGES)
_FIRST_ROWS = np.array(EDGE_NUMBERS) * calls.CALL_WIDTH
_TOTALS = _FIRST_ROWS + calls.TOTAL
_START, _TIME, _DRAWS = (np.uint64(number) for number in range(3))
"""A call has two draws: of its start, and of the time until its answer."""
_S11 = np.uint64(11)


def draw_calls(table: Any, lanes: Any, keys: Any) -> Calls:
    """See `SpanRules`."""
    totals = table[:, _TOTALS]
    most = int(totals.sum(axis=1).max(initial=0.0))
    # Edge 0 is that of the users, who make no spans.
    count = int(totals[:, 1:].sum())
    memory = (np.empty(most), *np.empty((4, most + 1), np.int64))
    made = Calls(
        np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count), np.empty(count, bool)
    )
    _write_calls((np.ascontiguousarray(table), lanes, keys), memory, tuple(made))
    return made


def count_arrived(windows: Any, lags: Any, loss_keys: Any) -> Counted:
    """See `SpanRules`."""
    made, failed = np.zeros((2, lags.size), np.int64)
    slowest_ms, first = np.zeros(lags.size), np.full(lags.size, np.inf)
    arrived = [np.zeros(len(window.group), np.bool_) for window in windows]
    of_lanes, out = (lags.reshape(-1), loss_keys), (made, failed, slowest_ms, first)
    for lag, window in enumerate(windows):
        _count_window(tuple(window), lag, of_lanes, (*out, arrived[lag]))
    if made.max(initial=0) > SLOWEST_IS_P99:
        kept = [
            Calls(*(rows[came] for rows in w)) for w, came in zip(windows, arrived, strict=True)
        ]
        all_kept = Calls(*map(np.concatenate, zip(*kept, strict=True)))
        slowest_ms = p99(all_kept.latency_ms, all_kept.group, made)
    return Counted(made, failed, slowest_ms, first)


@overloads.inlined
def _uniform(key: Any) -> Any:
    return np.float64(key >> _S11) * 2.0**-53


@compiled
def _write_calls(windows: Any, memory: Any, out: Any) -> None:
    (table, lanes, keys), (starts, edges, indices, order, ends) = windows, memory
    group, place, latency_ms, failed = out
    written = 0
    for row in range(len(table)):
        count = 0
        for edge in range(_EDGE_COUNT):
            for index in range(int(table[row, _TOTALS[edge]])):
                number = np.uint64((edge << PLACE_BITS) + index)
                starts[count] = _uniform(fold_key(keys[row], _DRAWS * number + _START))
                edges[count], indices[count] = edge, index
                count += 1
        _sort(starts, count, order, ends)
        for by_start in range(count):
            edge, index = edges[order[by_start]], indices[order[by_start]]
            if edge == 0:
                continue
            first = _FIRST_ROWS[edge]
            refused = table[row, first + calls.REFUSED]
            fails = index < table[row, first + calls.FAILED]
            hangs = refused <= index < refused + table[row, first + calls.HUNG]
            number = np.uint64((edge << PLACE_BITS) + index)
            share = _uniform(fold_key(keys[row], _DRAWS * number + _TIME))
            taken_ms = table[row, first + calls.SLOWEST_MS] * (
                FASTEST_SHARE + (1.0 - FASTEST_SHARE) * share
            )
            if hangs and fails:
                taken_ms = TIMEOUT_MS
            if index < refused:
                taken_ms = 0.0
            group[written] = lanes[row] * _WITH_SPANS + edge - 1
            place[written], latency_ms[written], failed[written] = by_start, taken_ms, fails
            written += 1


@overloads.inlined
def _sort(starts: Any, count: Any, order: Any, ends: Any) -> None:
    """Writes the order of `starts`, evenly drawn from [0, 1), equal ones as they come.

    As many buckets as starts bring each close to its place; insertion does the rest.
    """
    for bucket in range(count + 1):
        ends[bucket] = 0
    for i in range(count):
        ends[int(starts[i] * count) + 1] += 1
    for bucket in range(count):
        ends[bucket + 1] += ends[bucket]
    for i in range(count):
        bucket = int(starts[i] * count)
        order[ends[bucket]] = i
        ends[bucket] += 1
    for i in range(1, count):
        moved, to = order[i], i
        while to > 0 and starts[order[to - 1]] > starts[moved]:
            order[to] = order[to - 1]
            to -= 1
        order[to] = moved


@compiled
def _count_window(window: Any, lag: Any, of_lanes: Any, out: Any) -> None:
    (group, place, latency_ms, failed), (lags, loss_keys) = window, of_lanes
    made, of_failed, slowest_ms, first, arrived = out
    for call in range(len(group)):
        edge = group[call]
        if lags[edge] != lag:
            continue
        key = loss_keys[edge // _WITH_SPANS]
        if _uniform(fold_key(key, np.uint64(place[call]))) < noise.SPAN_LOSS_RATIO:
            continue
        arrived[call] = True
        if made[edge] == 0:
            first[edge] = place[call]
        made[edge] += 1
        of_failed[edge] += failed[call]
        slowest_ms[edge] = max(slowest_ms[edge], latency_ms[call])
