"""Beliefs over a database's connections: whether they leak, and who holds them.

| seen | nothing | held by a caller | held by the database |
|---|---|---|---|
| p99 of the database | log-normal | and so much for each connection held | the same |
| errors of the database | few | all calls once none is left | the same |
| memory | rest | creeps up at the caller | rest |

How many are held follows from the age of the younger of pool and holder. Loads NumPy: import it
late.
"""

from collections.abc import Set

import numpy as np
from numpy.typing import NDArray

from sre_autopilot.models import SREObservation
from sre_autopilot.policies.belief_filter.action_log import NEVER, Deeds
from sre_autopilot.policies.belief_filter.memory_leak import (
    FLOOR,
    LAG_SHARES,
    LAGS,
    Array,
    Creep,
    bell,
    middles,
)
from sre_autopilot.world import shapes
from sre_autopilot.world.topology import POOL_SIZE, Service, callers_of

PRIOR = 0.02
"""That a database's connections leak; small, for a leak that is none costs more than it gains, and
a pool that ran dry convinces anyway."""
FILLS = 5
"""Points of the grid over the steps until a pool is empty."""
P99_REST_MS = {Service.USER_DB: 27.0, Service.INVENTORY_DB: 40.0}
P99_REST_SPREAD, P99_LEAST_MS = 0.5, 5.0
P99_PER_CONNECTION_MS, P99_LAST_CONNECTION_MS = 4.0, 21.5
P99_TIMED_OUT_MS, P99_TIMED_OUT_SPREAD_MS = 245.0, 20.0
P99_OUTLIER = 1e-4
FEW_FAIL, MANY_FAIL, UNLIKELY = 0.05, 0.45, 0.05
"""Error rates below and above which calls fail as at rest, and as at an empty pool; the chance of
the contrary."""


class LeakBelief:
    """One database's connections: who holds them, by how fast, and how late it is told."""

    def __init__(self, database: Service, rest: float) -> None:
        self.database = database
        callers = callers_of(database)
        self.holders = (database, *callers)
        own = shapes.LEAK_HELD_BY_DATABASE
        shares = [own, *[(1.0 - own) / len(callers)] * len(callers)]
        self._fill_steps = middles(*shapes.LEAK_FILL_STEPS, FILLS)
        of = (len(self.holders), FILLS, len(LAGS))
        prior = PRIOR / FILLS * np.array(shares)[:, None, None] * LAG_SHARES
        self._weights = np.broadcast_to(prior, of).copy()
        self._nothing = (1.0 - PRIOR) * LAG_SHARES
        self._creeps = {caller: Creep(caller, rest) for caller in callers}
        self._windows: list[NDArray[np.int_]] = []

    def holding(self, deeds: Deeds, troubled: Set[Service]) -> dict[Service, float]:
        """Probability that a service holds connections still; `troubled` ones have other faults."""
        by_holder = self._weights.sum(axis=(1, 2))
        by_holder[1:] *= [creep.ratio(deeds) for creep in self._creeps.values()]
        by_holder *= [not {holder, self.database} & troubled for holder in self.holders]
        by_holder /= by_holder.sum() + self._nothing.sum()
        return {
            holder: 0.0 if self._cured(holder, deeds) else float(share)
            for holder, share in zip(self.holders, by_holder, strict=True)
        }

    def learn(self, observation: SREObservation, deeds: Deeds, *, blurred: bool) -> None:
        """`blurred` is that the database has troubles of another kind, which hide this one's."""
        for creep in self._creeps.values():
            creep.learn(observation)
        self._windows.append(np.array([self._held(h, deeds) for h in self.holders]))
        if blurred:
            return
        seen = observation.metrics[self.database]
        for lag in LAGS:
            window = max(0, deeds.step - int(lag))
            if deeds.unreachable(self.database, window):
                chances = _chances_unreachable(seen.error_rate)
                self._weights[:, :, lag] *= chances
                self._nothing[lag] *= chances
                continue
            table = self._by_held(seen.latency_p99, seen.error_rate)
            self._weights[:, :, lag] *= table[self._windows[window]]
            self._nothing[lag] *= table[0]
        total = self._weights.sum() + self._nothing.sum()
        self._weights /= total
        self._nothing /= total

    def _cured(self, holder: Service, deeds: Deeds) -> bool:
        return bool(deeds.restarted_at[holder]) or deeds.rolled_back_at[holder] < NEVER

    def _held(self, holder: Service, deeds: Deeds) -> list[int]:
        """Connections held in this step's window, by how many steps it takes to fill the pool."""
        if self._cured(holder, deeds):
            return [0] * FILLS
        began = [0, *deeds.restarted_at[self.database]]
        rolled = deeds.rolled_back_at[self.database]
        age = deeds.step + 1 - max([*began, rolled] if rolled < NEVER else began)
        return [shapes.held_connections(age / fill) for fill in self._fill_steps]

    def _by_held(self, p99_ms: float | None, error_rate: float | None) -> Array:
        """Likelihood of what is seen, by connections held."""
        held = np.arange(POOL_SIZE + 1)
        empty = held == POOL_SIZE
        told = np.ones(POOL_SIZE + 1)
        if error_rate is not None:
            fails = error_rate >= MANY_FAIL
            none = error_rate < FEW_FAIL
            told = np.where(empty, 1.0 if fails else UNLIKELY, 1.0 if none else UNLIKELY)
        if p99_ms is not None and (error_rate is None or error_rate < FEW_FAIL):
            slower = P99_PER_CONNECTION_MS * held
            slower = slower + np.where(held == POOL_SIZE - 1, P99_LAST_CONNECTION_MS, 0.0)
            rest = np.maximum(P99_LEAST_MS, p99_ms - slower)
            z = np.log(rest / P99_REST_MS[self.database]) / P99_REST_SPREAD
            density = np.exp(-0.5 * z * z) / rest
            late = bell(p99_ms, P99_TIMED_OUT_MS, P99_TIMED_OUT_SPREAD_MS)
            late = late / P99_TIMED_OUT_SPREAD_MS
            told = told * (np.where(empty, late, density) + P99_OUTLIER)
        return told


def _chances_unreachable(error_rate: float | None) -> float:
    if error_rate is None:
        return 1.0
    return 1.0 if error_rate > 1.0 - FEW_FAIL else FLOOR
