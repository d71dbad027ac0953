"""A simulated window in the form that other backends report: services, and calls as from spans.

Reads the arrays of a window that has passed; changes nothing.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

import numpy as np

from orchestrator.telemetry.window import EdgeCall, ServiceWindow, Window
from sre_autopilot.grading import UNCONTENDED
from sre_autopilot.simulator.mesh import SERVICE_INDEX
from sre_autopilot.simulator.rules import calls
from sre_autopilot.simulator.rules.array_ops import Rows, fold_key, uniform_of_key
from sre_autopilot.simulator.rules.traffic import TIMEOUT_MS
from sre_autopilot.simulator.rules.window_arrays import ORDER_TO_INVENTORY, WindowArrays
from sre_autopilot.world.draws import Stream, folded
from sre_autopilot.world.sla import Calls
from sre_autopilot.world.topology import ARRIVALS_PER_S, CALLS, ENTRY, USERS, Service

NO_TRACE = ""
"""A simulated call has no spans that could be looked up."""
FASTEST_SHARE = 0.3
"""Time of the fastest answered call as a share of the slowest's; the others lie evenly between."""
EDGES = ((USERS, ENTRY), *((caller, callee) for caller in CALLS for callee in CALLS[caller]))
EDGE_NUMBERS = tuple(
    ORDER_TO_INVENTORY
    if (caller, callee) == (Service.ORDER_SERVICE, Service.INVENTORY_DB)
    else SERVICE_INDEX[callee]
    for caller, callee in EDGES
)
"""Where the rules have each edge."""
PLACE_BITS = 16


def measured_window(
    arrays: WindowArrays, seed: int, step: int, open_breakers: Collection[Service]
) -> Window:
    """What was measured in the window of `step`. Simulated time begins at 0 s with step 0."""
    # The mesh sees so many calls a window, which arrive at the rate of the real one.
    window_s = float(np.sum(arrays.parameters.arrivals)) / ARRIVALS_PER_S
    return Window(
        step,
        {
            service: _service(arrays, index, breaker_open=service in open_breakers)
            for service, index in SERVICE_INDEX.items()
        },
        tuple(_edge_calls(arrays, seed, step)),
        began_at=step * window_s,
        ended_at=(step + 1) * window_s,
        host=UNCONTENDED,
    )


def _edge_calls(arrays: WindowArrays, seed: int, step: int) -> list[EdgeCall]:
    """All calls, in the order of their starts. Starts and times of answers are keyed draws."""
    rows = Rows.zeros(calls.CALL_ROWS, lanes=1)
    calls.write_calls(arrays, rows)
    edges = [_Edge.of(rows, number) for number in range(len(EDGES))]
    made = [(edge, index) for edge in edges for index in range(edge.total)]
    # The index part of a call's keys: its edge above PLACE_BITS, its place in the edge below. One
    # bit more tells the draw of its start from that of its time.
    places = np.concatenate(
        [(number << PLACE_BITS) + np.arange(edge.total) for number, edge in enumerate(edges)]
    ).astype(np.uint64)
    key = np.array([folded(seed, Stream.SPANS, step)], np.uint64)
    starts, times = (uniform_of_key(fold_key(key, 2 * places + i)) for i in (0, 1))
    in_order = np.argsort(starts, kind="stable").tolist()
    shares = times.tolist()
    return [made[place][0].call(made[place][1], shares[place]) for place in in_order]


@dataclass(frozen=True, slots=True)
class _Edge:
    """Calls of one edge: the first were refused, the next hung, the others were answered."""

    caller: str
    callee: Service
    total: int
    refused: int
    hung: int
    failed: int
    worked_on: bool
    slowest_ms: float

    @classmethod
    def of(cls, rows: Rows, number: int) -> Self:
        """Edge `number` of EDGES, of what `rules.calls.write_calls` wrote for one lane."""
        caller, callee = EDGES[number]
        first = calls.CALL_WIDTH * EDGE_NUMBERS[number]
        values = {field: rows[first + field][0] for field in range(calls.CALL_WIDTH)}
        return cls(
            caller=caller,
            callee=callee,
            total=int(values[calls.TOTAL]),
            refused=int(values[calls.REFUSED]),
            hung=int(values[calls.HUNG]),
            failed=int(values[calls.FAILED]),
            worked_on=bool(values[calls.WORKED_ON]),
            slowest_ms=float(values[calls.SLOWEST_MS]),
        )

    def call(self, index: int, share: float) -> EdgeCall:
        """Call number `index`; `share` in [0, 1) says how long it took if it was answered."""
        failed, hangs = index < self.failed, self.refused <= index < self.refused + self.hung
        spread = FASTEST_SHARE + (1.0 - FASTEST_SHARE) * share
        latency_ms = TIMEOUT_MS if hangs and failed else self.slowest_ms * spread
        return EdgeCall(
            caller=self.caller,
            callee=self.callee,
            latency_ms=0.0 if index < self.refused else latency_ms,
            failed=failed,
            trace_id=NO_TRACE,
            served_span=not failed or (hangs and self.worked_on),
        )


def _service(arrays: WindowArrays, s: int, *, breaker_open: bool) -> ServiceWindow:
    measured = arrays.measured
    return ServiceWindow(
        calls=Calls(
            total=int(measured.calls[s][0]),
            failed=int(measured.failed[s][0]),
            p99_ms=_or_none(measured.p99_ms[s][0]),
            answered_p99_ms=_or_none(measured.answered_p99_ms[s][0]),
        ),
        cpu_pct=_or_none(measured.cpu_pct[s][0]),
        memory_pct=_or_none(measured.memory_pct[s][0]),
        breaker_open=breaker_open,
    )


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
