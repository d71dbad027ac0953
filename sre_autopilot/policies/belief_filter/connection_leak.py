"""Beliefs over a database's connections: whether they leak, and which service keeps them open.

| reading | no leak | kept open by a caller | kept open by the database |
|---|---|---|---|
| p99 of the database | log-normal | and so much more for each connection kept | the same |
| errors of the database | few | all calls once no connection is left | the same |
| memory | rest | creeps up at the caller | rest |

How many connections are kept follows from the age of the younger of pool and holder. Loads NumPy:
import it late.
"""

from collections.abc import Set

import numpy as np
from numpy.typing import NDArray

from sre_autopilot.models import SREObservation
from sre_autopilot.policies.belief_filter.action_log import NEVER, ActionLog
from sre_autopilot.policies.belief_filter.fitted import (
    P99_LAST_CONNECTION_MS,
    P99_PER_CONNECTION_MS,
)
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
from sre_autopilot.world.topology import CALL_TIMEOUT_S, POOL_SIZE, Service, callers_of

PRIOR = 0.02
"""That a database's connections leak; small, for a leak that is none costs more than it gains, and
a pool that ran dry convinces anyway."""
FILLS = 5
"""Points of the grid over the steps until a pool is empty."""
P99_REST_MS = {Service.USER_DB: 17.5, Service.INVENTORY_DB: 20.0}
"""Location of the log-normal p99 at rest. Not read from the fit: between its median and its
geometric mean, for the fitted p99 is skewed even in logarithms, and the median alone restarts
healthy databases."""
P99_REST_SPREAD, P99_LEAST_MS = 0.5, 5.0
"""Standard deviation of log p99 at rest; less than the least is taken for it."""
P99_TIMED_OUT_MS, P99_TIMED_OUT_SPREAD_MS = 1000.0 * CALL_TIMEOUT_S - 5.0, 20.0
"""p99 where calls wait for a connection until they time out: within the last bucket."""
P99_OUTLIER = 1e-4
"""Density added to every p99 (1/ms): one outlier must not decide."""
FEW_FAIL, MANY_FAIL, UNLIKELY = 0.05, 0.45, 0.05
"""Error rates below and above which calls fail as at rest, and as at an empty pool; the chance of
the contrary."""


class LeakBelief:
    """One database's leak: `_weights` is (holders, FILLS, LAGS).

    The holder is the database itself or one of its callers; FILLS is how quickly it fills the pool.
    """

    def __init__(self, database: Service, rest: float) -> None:
        self.database = database
        callers = callers_of(database)
        self.holders = (database, *callers)
        own = shapes.LEAK_HELD_BY_DATABASE
        shares = [own, *[(1.0 - own) / len(callers)] * len(callers)]
        self._fill_steps = middles(*shapes.LEAK_FILL_STEPS, FILLS)
        shape = (len(self.holders), FILLS, len(LAGS))
        prior = PRIOR / FILLS * np.array(shares)[:, None, None] * LAG_SHARES
        self._weights = np.broadcast_to(prior, shape).copy()
        self._no_leak = (1.0 - PRIOR) * LAG_SHARES
        self._creeps = {caller: Creep(caller, rest) for caller in callers}
        self._windows: list[NDArray[np.int_]] = []

    def holding(self, action_log: ActionLog, troubled: Set[Service]) -> dict[Service, float]:
        """Probability that each service still keeps connections; 0 for `troubled` ones, whose
        symptoms another fault explains.
        """
        by_holder = self._weights.sum(axis=(1, 2))
        # A caller's own memory is evidence of it alone, so that it is weighed here and not before.
        by_holder[1:] *= [creep.ratio(action_log) for creep in self._creeps.values()]
        by_holder *= [not {holder, self.database} & troubled for holder in self.holders]
        by_holder /= by_holder.sum() + self._no_leak.sum()
        return {
            holder: 0.0 if self._cured(holder, action_log) else float(share)
            for holder, share in zip(self.holders, by_holder, strict=True)
        }

    def learn(self, observation: SREObservation, action_log: ActionLog, *, obscured: bool) -> None:
        """Adds a window to every hypothesis, and weighs them by what arrived.

        obscured: the database has a fault of another kind, which hides this one's symptoms.
        """
        for creep in self._creeps.values():
            creep.learn(observation)
        self._windows.append(np.array([self._held(h, action_log) for h in self.holders]))
        if obscured:
            return
        metrics = observation.metrics[self.database]
        for lag in LAGS:
            window = max(0, action_log.step - int(lag))
            if action_log.unreachable(self.database, window):
                chances = _chances_unreachable(metrics.error_rate)
                self._weights[:, :, lag] *= chances
                self._no_leak[lag] *= chances
                continue
            by_held = self._by_held(metrics.latency_p99, metrics.error_rate)
            self._weights[:, :, lag] *= by_held[self._windows[window]]
            self._no_leak[lag] *= by_held[0]
        total = self._weights.sum() + self._no_leak.sum()
        self._weights /= total
        self._no_leak /= total

    def _cured(self, holder: Service, action_log: ActionLog) -> bool:
        restarted = bool(action_log.restarted_at[holder])
        return restarted or action_log.rolled_back_at[holder] < NEVER

    def _held(self, holder: Service, action_log: ActionLog) -> list[int]:
        """Connections kept in this step's window, at each speed at which the pool may fill."""
        if self._cured(holder, action_log):
            return [0] * FILLS
        began = [0, *action_log.restarted_at[self.database]]
        rolled = action_log.rolled_back_at[self.database]
        # A database that starts anew has a full pool, and a living holder drains it once more.
        age = action_log.step + 1 - max([*began, rolled] if rolled < NEVER else began)
        return [shapes.held_connections(age / fill) for fill in self._fill_steps]

    def _by_held(self, p99_ms: float | None, error_rate: float | None) -> Array:
        """Likelihood of a reading, by connections kept: 0 to POOL_SIZE."""
        held = np.arange(POOL_SIZE + 1)
        empty = held == POOL_SIZE
        likelihood = np.ones(POOL_SIZE + 1)
        if error_rate is not None:
            many, few = error_rate >= MANY_FAIL, error_rate < FEW_FAIL
            likelihood = np.where(empty, 1.0 if many else UNLIKELY, 1.0 if few else UNLIKELY)
        # p99 speaks of waiting only where calls were answered: failures have a latency of theirs.
        if p99_ms is not None and (error_rate is None or error_rate < FEW_FAIL):
            added_ms = P99_PER_CONNECTION_MS * held
            added_ms = added_ms + np.where(held == POOL_SIZE - 1, P99_LAST_CONNECTION_MS, 0.0)
            rest_ms = np.maximum(P99_LEAST_MS, p99_ms - added_ms)
            z = np.log(rest_ms / P99_REST_MS[self.database]) / P99_REST_SPREAD
            # Densities per ms, but for factors that all hypotheses share.
            answered = np.exp(-0.5 * z * z) / rest_ms
            timed_out = bell(p99_ms, P99_TIMED_OUT_MS, P99_TIMED_OUT_SPREAD_MS)
            timed_out = timed_out / P99_TIMED_OUT_SPREAD_MS
            likelihood = likelihood * (np.where(empty, timed_out, answered) + P99_OUTLIER)
        return likelihood


def _chances_unreachable(error_rate: float | None) -> float:
    """Likelihood of an error rate where no call could reach the database: all of them fail."""
    if error_rate is None:
        return 1.0
    return 1.0 if error_rate > 1.0 - FEW_FAIL else FLOOR
