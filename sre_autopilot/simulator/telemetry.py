"""One simulated window, as the others tell of theirs: services, and calls as if seen in spans."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from orchestrator.telemetry.window import EdgeCall, ServiceWindow, Window
from sre_autopilot.simulator.mesh import SERVICE_INDEX, SimulatedMesh
from sre_autopilot.simulator.rules.array_ops import fold_key, uniform_of_key
from sre_autopilot.simulator.rules.traffic import TIMEOUT_MS
from sre_autopilot.simulator.rules.window_arrays import (
    INVENTORY_DB,
    ORDER_TO_INVENTORY,
    WindowArrays,
)
from sre_autopilot.world.draws import Stream, folded
from sre_autopilot.world.sla import Calls
from sre_autopilot.world.topology import ARRIVALS_PER_S, CALLS, ENTRY, USERS, Service

NO_TRACE = ""
"""Nothing was traced: a simulated call has no spans that one could look up."""
FASTEST_SHARE = 0.3
"""Of the slowest call's time: calls that were answered spread evenly from there to it."""
EDGES = ((USERS, ENTRY), *((caller, callee) for caller in CALLS for callee in CALLS[caller]))


class SimulatedTelemetry:
    """Windows follow one another in simulated time, which begins at 0."""

    def __init__(self, mesh: SimulatedMesh) -> None:
        self._mesh = mesh

    async def observe(self, step: int, open_breakers: Collection[Service] = ()) -> Window:
        arrays = self._mesh.window(step)
        window_s = float(np.sum(arrays.parameters.arrivals)) / ARRIVALS_PER_S
        return Window(
            step,
            {
                service: _service(arrays, index, breaker_open=service in open_breakers)
                for service, index in SERVICE_INDEX.items()
            },
            tuple(self._edge_calls(arrays, step)),
            began_at=step * window_s,
            ended_at=(step + 1) * window_s,
        )

    def _edge_calls(self, arrays: WindowArrays, step: int) -> list[EdgeCall]:
        """Ordered by start, which is drawn, as is how long those took that were answered."""
        edges = [_Edge.of(arrays, caller, callee) for caller, callee in EDGES]
        calls = [(edge, index) for edge in edges for index in range(edge.total)]
        places = np.concatenate(
            [(number << 16) + np.arange(edge.total) for number, edge in enumerate(edges)]
        ).astype(np.uint64)
        key = np.array([folded(self._mesh.seed, Stream.SPANS, step)], np.uint64)
        starts, took = (uniform_of_key(fold_key(key, 2 * places + i)) for i in (0, 1))
        in_order = np.argsort(starts, kind="stable").tolist()
        shares = took.tolist()
        return [calls[place][0].call(calls[place][1], shares[place]) for place in in_order]


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
    def of(cls, arrays: WindowArrays, caller: str, callee: Service) -> Self:
        work, seen, s = arrays.work, arrays.measured, SERVICE_INDEX[callee]

        def count(totals: Any) -> int:
            """Of this edge: inventory_db's rows hold both of its callers'."""
            if s != INVENTORY_DB:
                return int(totals[s][0])
            orders = int(totals[ORDER_TO_INVENTORY][0])
            return orders if caller == Service.ORDER_SERVICE else int(totals[s][0]) - orders

        total = max(0, count(work.sent) + count(work.shifted))
        slowest_ms = seen.answered_p99_ms[s][0]
        return cls(
            caller=caller,
            callee=callee,
            total=total,
            refused=min(total, count(work.turned_away)),
            hung=count(work.late),
            failed=min(total, count(work.lost)),
            worked_on=not work.silent[s][0],
            slowest_ms=0.0 if np.isnan(slowest_ms) else float(slowest_ms),
        )

    def call(self, index: int, took: float) -> EdgeCall:
        failed, hangs = index < self.failed, self.refused <= index < self.refused + self.hung
        spread = FASTEST_SHARE + (1.0 - FASTEST_SHARE) * took
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
    seen = arrays.measured
    return ServiceWindow(
        calls=Calls(
            total=int(seen.calls[s][0]),
            failed=int(seen.failed[s][0]),
            p99_ms=_known(seen.p99_ms[s][0]),
            answered_p99_ms=_known(seen.answered_p99_ms[s][0]),
        ),
        cpu_pct=_known(seen.cpu_pct[s][0]),
        memory_pct=_known(seen.memory_pct[s][0]),
        breaker_open=breaker_open,
    )


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
