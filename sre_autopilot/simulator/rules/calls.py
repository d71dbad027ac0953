"""The calls of a window edge by edge, as spans would report them: counts, failures, slowest answer.

Written on request only, for `simulator.telemetry` and `simulator.span_draws`. Changes nothing.
"""

from typing import Any

import numpy as np

from sre_autopilot.simulator.rules.array_ops import rule, to_float, where
from sre_autopilot.simulator.rules.window_arrays import (
    EDGE_COUNT,
    INVENTORY_DB,
    ORDER_TO_INVENTORY,
    WindowArrays,
)

# Of an edge's `total` calls the first REFUSED were refused at once, the next HUNG got no answer in
# time, FAILED failed in all. WORKED_ON: whether its replicas work on calls that hang.
TOTAL, REFUSED, HUNG, FAILED, WORKED_ON, SLOWEST_MS = range(6)
CALL_WIDTH = 6
CALL_ROWS = EDGE_COUNT * CALL_WIDTH
"""Row CALL_WIDTH * edge + one of the above; edges are numbered as in `window_arrays`."""


@rule
def _of_edge(totals: Any, edge: int) -> Any:
    """Of one edge: the row of inventory_db holds the calls of both its callers."""
    shared = 1.0 if edge == INVENTORY_DB else 0.0
    return totals[edge] - shared * totals[ORDER_TO_INVENTORY]


@rule
def write_calls(arrays: WindowArrays, rows: Any) -> None:
    """Fills `rows` (CALL_ROWS) from a window that has passed."""
    work, measured = arrays.work, arrays.measured
    for edge in range(EDGE_COUNT):
        s = INVENTORY_DB if edge == ORDER_TO_INVENTORY else edge
        sent = _of_edge(work.sent, edge) + _of_edge(work.shifted, edge)
        total = np.maximum(0.0, sent)
        first = edge * CALL_WIDTH
        rows[first + TOTAL] = total
        rows[first + REFUSED] = np.minimum(total, _of_edge(work.turned_away, edge))
        rows[first + HUNG] = _of_edge(work.late, edge)
        rows[first + FAILED] = np.minimum(total, _of_edge(work.lost, edge))
        rows[first + WORKED_ON] = to_float(work.silent[s] == 0.0)
        slowest_ms = measured.answered_p99_ms[s]
        rows[first + SLOWEST_MS] = where(np.isnan(slowest_ms), 0.0, slowest_ms)
