"""What the spans of a lane show: the `trace_edges` of an observation, edge by edge.

The draws are those of `simulator.telemetry`, `orchestrator.noise` and `orchestrator.observation`,
over all calls of all lanes at once; tests hold both equal. Changes no lane.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from orchestrator import noise
from sre_autopilot.history.row_layout import MISSING, SPAN_EDGES, SPAN_FIELDS
from sre_autopilot.simulator.batch import Engine
from sre_autopilot.simulator.engines import span_rules_of
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.simulator.rules.array_ops import stream_key
from sre_autopilot.simulator.rules.window_arrays import SERVICE_COUNT
from sre_autopilot.simulator.span_rules import Calls, Counted
from sre_autopilot.world.draws import Stream
from sre_autopilot.world.topology import Service

_CALLERS = np.array([tuple(Service).index(caller) for caller, _ in SPAN_EDGES])
_LAGS = [layout.LAG + s for s in range(SERVICE_COUNT)]
WINDOWS_KEPT = 1 + max(lag for _, lag in noise.LAG_STEPS_BELOW)
_LARGEST = 256
"""Calls of an edge in a window up to which rounded error rates stand in a table."""


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
        self._rules = span_rules_of(engine)
        self._windows: list[Calls] = []

    def load(self, calls: Any, seed_keys: Any, steps: Any) -> None:
        """As if the last windows of every lane, the newest first, had just passed.

        calls: (windows, lanes, CALL_ROWS), all 0 before an episode began; up to WINDOWS_KEPT.
        seed_keys: (lanes,) uint64, the SEED_KEY of those windows. steps: (windows, lanes).
        """
        lanes = np.arange(len(seed_keys))
        self._windows = [
            self._rules.draw_calls(table, lanes, stream_key(seed_keys, _SPANS, of_window))
            for table, of_window in zip(calls, steps, strict=True)
        ]

    def after_window(self, lanes: Any = None) -> Edges:
        """Those of some lanes, or of all (None), after a window of them has passed."""
        engine = self._engine
        count = len(engine.keys)
        here = np.arange(count) if lanes is None else lanes
        state = engine.state([layout.STEP, *_LAGS])[here]
        keys = engine.keys[here, layout.SEED_KEY]
        made = self._rules.draw_calls(
            engine.calls[here], here, stream_key(keys, _SPANS, state[:, 0])
        )
        if lanes is None:
            self._windows = [made, *self._windows[: WINDOWS_KEPT - 1]]
        else:
            self._windows[0] = _replaced(self._windows[0], made, here, count)
        lags = np.full((count, len(SPAN_EDGES)), -1)
        lags[here] = np.minimum(state[:, 1:], state[:, :1])[:, _CALLERS]
        loss_keys = np.zeros(count, np.uint64)
        loss_keys[here] = stream_key(keys, _SPAN_LOSS, state[:, 0])
        edges = _by_edge(self._rules.count_arrived(self._windows, lags, loss_keys), count)
        return Edges(*(values[here] for values in edges))


_SPANS, _SPAN_LOSS = np.uint64(Stream.SPANS), np.uint64(Stream.SPAN_LOSS)


def _replaced(window: Calls, by: Calls, lanes: Any, count: int) -> Calls:
    """`window`, with the calls of some lanes replaced."""
    stays = np.ones(count, np.bool_)
    stays[lanes] = False
    kept = stays[window.group // len(SPAN_EDGES)]
    return Calls(*(np.concatenate([old[kept], new]) for old, new in zip(window, by, strict=True)))


def _by_edge(counted: Counted, lanes: int) -> Edges:
    called = counted.made > 0
    error_rate, latency_p99 = np.full((2, called.size), MISSING)
    error_rate[called] = _error_rates(counted.failed[called], counted.made[called])
    latency_p99[called] = np.rint(counted.latency_p99_ms[called] * 10.0) / 10.0
    values = (counted.made.astype(np.float64), error_rate, latency_p99, counted.first)
    return Edges(*(of_edge.reshape(lanes, -1) for of_edge in values))


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
