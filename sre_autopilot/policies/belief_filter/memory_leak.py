"""Beliefs over memory: whether a service's leaks until it is killed, and whether it creeps up.

| seen | nothing | `single_oom` | a caller that leaves cursors open |
|---|---|---|---|
| memory | rest | a saw from rest to 100 %, null where killed | up by the same at each step |

Rest is about that of most services when the episode began, and integrated out where a slope is
judged. A reading is worth a factor of 1 / FLOOR at most. Loads NumPy: import it late.
"""

from collections.abc import Iterable
from statistics import median

import numpy as np
from numpy.typing import NDArray

from orchestrator import noise
from sre_autopilot.models import ServiceMetrics, SREObservation
from sre_autopilot.policies.belief_filter.action_log import Deeds
from sre_autopilot.world import shapes
from sre_autopilot.world.topology import LIMITS, Service
from sre_autopilot.world.vocabulary import ActionName

PRIOR = 0.05
"""That a service leaks."""
FLOOR = 1e-3
LAGS = np.arange(len(noise.LAG_STEPS_BELOW))
LAG_SHARES = np.diff([0.0, *(bound for bound, _ in noise.LAG_STEPS_BELOW)])
REST_PCT, REST_SPREAD_PCT = 25.0, 2.0
STARTED_PCT = 4.6
"""How much less a process holds in the window that it started in."""
FULL_PCT = 100.0
SAW_SPREAD_PCT = 5.0
"""Of a reading around a saw drawn by one of SLOPES slopes."""
SLOPES = 6
LARGEST_LOG_RATIO = 60.0

Array = NDArray[np.float64]


def rest_pct(first: Iterable[ServiceMetrics]) -> float:
    """Memory at rest: the middle of the first readings and of what is usual.

    A fault or two do not move a median, and another machine's processes may hold more.
    """
    readings = [seen.memory_pct for seen in first if seen.memory_pct is not None]
    return median([REST_PCT, REST_PCT, *readings])


def middles(low: float, high: float, count: int) -> Array:
    """So many points that stand for equal shares of a range."""
    return low + (high - low) * (np.arange(count) + 0.5) / count


def bell(x: float | Array, mean: float | Array, spread: float) -> Array:
    """A normal density, scaled to 1 at its top."""
    z = (np.asarray(x) - mean) / spread
    found: Array = np.exp(-0.5 * z * z)
    return found


class OomBelief:
    """One service's: rows are the leak's slopes, once for each restart that may have cured it."""

    def __init__(self, service: Service, rest: float) -> None:
        self.service = service
        self._rest_pct = rest
        limit_mb = LIMITS[service].memory_limit_mb
        self._slope_pct = FULL_PCT / limit_mb * middles(*shapes.OOM_LEAK_MB_PER_STEP, SLOPES)
        self._cured = np.zeros(SLOPES, bool)
        self._weights = np.tile(PRIOR / SLOPES * LAG_SHARES, (SLOPES, 1))
        self._nothing = (1.0 - PRIOR) * LAG_SHARES
        self._leaked_pct = np.zeros(SLOPES)
        self._windows: list[Array] = []

    @property
    def active(self) -> float:
        """Probability that it leaks still."""
        return float(self._weights[~self._cured].sum())

    @property
    def ever(self) -> float:
        """Probability that it leaks or did."""
        return float(self._weights.sum())

    def learn(self, observation: SREObservation, deeds: Deeds) -> None:
        self._act(deeds)
        self._leaked_pct = np.where(self._cured, 0.0, self._leaked_pct + self._slope_pct)
        level = self._rest_pct + self._leaked_pct
        if deeds.held_out(self.service, deeds.step):
            level = level - STARTED_PCT
        killed = level > FULL_PCT
        self._windows.append(np.where(killed, np.nan, level))
        self._leaked_pct[killed] = 0.0
        reading = observation.metrics[self.service].memory_pct
        for lag in LAGS:
            window = max(0, deeds.step - int(lag))
            expected = self._windows[window]
            self._weights[:, lag] *= _memory_chances(reading, expected)
            rest = np.array([self._rest_pct])
            if not deeds.held_out(self.service, window):
                self._nothing[lag] *= _memory_chances(reading, rest)[0]
        total = self._weights.sum() + self._nothing.sum()
        self._weights /= total
        self._nothing /= total

    def _act(self, deeds: Deeds) -> None:
        if deeds.did(ActionName.ROLLBACK, self.service):
            self._cured[:] = True
        elif deeds.did(ActionName.RESTART, self.service):
            self._leaked_pct = np.where(self._cured, self._leaked_pct, 0.0)
            open_ = ~self._cured
            luck = self._weights[open_] * shapes.OOM_RESTART_CURES
            self._weights[open_] *= 1.0 - shapes.OOM_RESTART_CURES
            self._weights = np.concatenate([self._weights, luck])
            self._slope_pct = np.concatenate([self._slope_pct, self._slope_pct[open_]])
            self._leaked_pct = np.concatenate([self._leaked_pct, self._leaked_pct[open_]])
            self._windows = [np.concatenate([w, w[open_]]) for w in self._windows]
            self._cured = np.concatenate([self._cured, np.ones(len(luck), bool)])


def _memory_chances(reading: float | None, expected: Array) -> Array:
    """Of a reading, or of none, at expected levels; nan where the process was killed."""
    dead = np.isnan(expected)
    if reading is None:
        return np.where(dead, 1.0, noise.METRIC_LOSS_RATIO)
    near = bell(reading, np.where(dead, 0.0, expected), SAW_SPREAD_PCT)
    kept: Array = (1.0 - noise.METRIC_LOSS_RATIO) * np.where(dead, FLOOR, np.maximum(FLOOR, near))
    return kept


class Creep:
    """Whether one caller's memory creeps up, as of one that leaves cursors open."""

    def __init__(self, service: Service, rest: float) -> None:
        self.service = service
        self._rest_pct = rest
        self._seen: list[tuple[int, float]] = []

    def learn(self, observation: SREObservation) -> None:
        reading = observation.metrics[self.service].memory_pct
        if reading is not None:
            self._seen.append((observation.step, reading))

    def ratio(self, deeds: Deeds) -> float:
        """Likelihood that it creeps over that it rests, until it was first restarted."""
        if not self._seen:
            return 1.0
        ended = min([*deeds.restarted_at[self.service], deeds.rolled_back_at[self.service]])
        per_step = FULL_PCT * shapes.LEAK_HOLDER_MEMORY_MB_PER_STEP
        per_step /= LIMITS[self.service].memory_limit_mb
        steps, readings = np.array(self._seen).T
        windows = np.maximum(0.0, steps[:, None] - LAGS)
        crept = np.where(windows < ended, per_step * (windows + 1.0), 0.0)
        told = readings[:, None] - self._rest_pct
        logs = _around_rest(told - crept) - _around_rest(np.repeat(told, len(LAGS), axis=1))
        return float(LAG_SHARES @ np.exp(np.minimum(logs, LARGEST_LOG_RATIO)))


def _around_rest(residuals: Array) -> Array:
    """Log-likelihood of each column of readings around a level at rest that is itself drawn."""
    count, noise_var = len(residuals), noise.PERCENT_NOISE**2
    spread_var = REST_SPREAD_PCT**2
    total = residuals.sum(axis=0)
    squares: Array = (residuals**2).sum(axis=0) / noise_var
    shared = spread_var * total**2 / noise_var / (noise_var + count * spread_var)
    found: Array = -0.5 * (squares - shared)
    return found
