"""Beliefs over memory: whether a service's leaks until it is killed, and whether it creeps up.

| reading | no leak | `single_oom` | a caller that leaves cursors open |
|---|---|---|---|
| memory | rest | a saw from rest to 100 %, null where killed | up by the same at each step |

Rest is about that of most services when the episode began, and integrated out where a slope is
judged. A reading changes the odds by a factor of 1 / FLOOR at most. Levels are percent of the
service's memory limit. Loads NumPy: import it late.
"""

from collections.abc import Iterable
from statistics import median

import numpy as np
from numpy.typing import NDArray

from orchestrator import noise
from sre_autopilot.models import ServiceMetrics, SREObservation
from sre_autopilot.policies.belief_filter.action_log import ActionLog
from sre_autopilot.policies.belief_filter.fitted import MEMORY_REST_PCT
from sre_autopilot.world import shapes
from sre_autopilot.world.topology import LIMITS, Service
from sre_autopilot.world.vocabulary import ActionName

PRIOR = 0.05
"""That a service leaks."""
FLOOR = 1e-3
"""Least likelihood of a reading: one outlier must not decide."""
LAGS = np.arange(len(noise.LAG_STEPS_BELOW))
"""How many steps late a service's telemetry may be."""
LAG_SHARES = np.diff([0.0, *(bound for bound, _ in noise.LAG_STEPS_BELOW)])
"""Prior probability of each of LAGS."""
REST_SPREAD_PCT = 2.0
"""Standard deviation of the level at rest from one service to the next."""
STARTED_PCT = 4.6
"""How much less than at rest a process holds in the window that it started in."""
FULL_PCT = 100.0
SAW_SPREAD_PCT = 5.0
"""Of a reading around a saw: half the distance of two of SLOPES, and the noise."""
SLOPES = 6
"""Points of the grid over a leak's slope."""
LARGEST_LOG_RATIO = 60.0
"""Keeps `exp` finite; any ratio near it is certainty."""

Array = NDArray[np.float64]


def rest_pct(first: Iterable[ServiceMetrics]) -> float:
    """Memory at rest: the middle of the first readings and of what is usual.

    A fault or two do not move a median, and another machine's processes may hold more.
    """
    readings = [metrics.memory_pct for metrics in first if metrics.memory_pct is not None]
    # The usual level twice: it decides where fewer than three readings arrived.
    return median([MEMORY_REST_PCT, MEMORY_REST_PCT, *readings])


def middles(low: float, high: float, count: int) -> Array:
    """`count` points, each the middle of an equal share of the range."""
    return low + (high - low) * (np.arange(count) + 0.5) / count


def bell(x: float | Array, mean: float | Array, spread: float) -> Array:
    """A normal density, scaled to 1 at its top, so that it compares with FLOOR and with 1."""
    z = (np.asarray(x) - mean) / spread
    density: Array = np.exp(-0.5 * z * z)
    return density


class OomBelief:
    """One service's leak that ends in a kill.

    `_weights` is (hypotheses, LAGS): the leak's slope, and whether a restart has cured it.
    """

    def __init__(self, service: Service, rest: float) -> None:
        self.service = service
        self._rest_pct = rest
        limit_mb = LIMITS[service].memory_limit_mb
        self._slope_pct = FULL_PCT / limit_mb * middles(*shapes.OOM_LEAK_MB_PER_STEP, SLOPES)
        self._cured = np.zeros(SLOPES, bool)
        self._weights = np.tile(PRIOR / SLOPES * LAG_SHARES, (SLOPES, 1))
        self._no_leak = (1.0 - PRIOR) * LAG_SHARES
        self._leaked_pct = np.zeros(SLOPES)
        self._windows: list[Array] = []

    @property
    def active(self) -> float:
        """Probability that it still leaks."""
        return float(self._weights[~self._cured].sum())

    @property
    def ever(self) -> float:
        """Probability that it leaks or did."""
        return float(self._weights.sum())

    def learn(self, observation: SREObservation, action_log: ActionLog) -> None:
        """Adds a window to every hypothesis, then weighs them by the reading that arrived."""
        self._apply(action_log)
        self._leaked_pct = np.where(self._cured, 0.0, self._leaked_pct + self._slope_pct)
        level = self._rest_pct + self._leaked_pct
        if action_log.out_of_rotation(self.service, action_log.step):
            level = level - STARTED_PCT
        killed = level > FULL_PCT
        self._windows.append(np.where(killed, np.nan, level))
        # A killed process is started again and leaks from the beginning.
        self._leaked_pct[killed] = 0.0
        reading = observation.metrics[self.service].memory_pct
        for lag in LAGS:
            # Until the first late window arrives, telemetry repeats that of reset.
            window = max(0, action_log.step - int(lag))
            expected = self._windows[window]
            self._weights[:, lag] *= _memory_chances(reading, expected)
            rest = np.array([self._rest_pct])
            # After a restart memory climbs back to rest, whatever the fault: no evidence.
            if not action_log.out_of_rotation(self.service, window):
                self._no_leak[lag] *= _memory_chances(reading, rest)[0]
        total = self._weights.sum() + self._no_leak.sum()
        self._weights /= total
        self._no_leak /= total

    def _apply(self, action_log: ActionLog) -> None:
        """Cures by what was done. A restart splits each hypothesis: it worked, or it did not."""
        if action_log.did(ActionName.ROLLBACK, self.service):
            self._cured[:] = True
        elif action_log.did(ActionName.RESTART, self.service):
            self._leaked_pct = np.where(self._cured, self._leaked_pct, 0.0)
            leaking = ~self._cured
            cured = self._weights[leaking] * shapes.OOM_RESTART_CURES
            self._weights[leaking] *= 1.0 - shapes.OOM_RESTART_CURES
            # The cured halves are appended, with their history: late readings still speak of it.
            self._weights = np.concatenate([self._weights, cured])
            self._slope_pct = np.concatenate([self._slope_pct, self._slope_pct[leaking]])
            self._leaked_pct = np.concatenate([self._leaked_pct, self._leaked_pct[leaking]])
            self._windows = [np.concatenate([w, w[leaking]]) for w in self._windows]
            self._cured = np.concatenate([self._cured, np.ones(len(cured), bool)])


def _memory_chances(reading: float | None, expected: Array) -> Array:
    """Likelihood of a reading, or of none, at expected levels; nan where the process was killed."""
    killed = np.isnan(expected)
    if reading is None:
        return np.where(killed, 1.0, noise.METRIC_LOSS_RATIO)
    near = bell(reading, np.where(killed, 0.0, expected), SAW_SPREAD_PCT)
    arrived = 1.0 - noise.METRIC_LOSS_RATIO
    chances: Array = arrived * np.where(killed, FLOOR, np.maximum(FLOOR, near))
    return chances


class Creep:
    """Whether one caller's memory creeps up, as of one that leaves cursors open."""

    def __init__(self, service: Service, rest: float) -> None:
        self.service = service
        self._rest_pct = rest
        self._readings: list[tuple[int, float]] = []

    def learn(self, observation: SREObservation) -> None:
        reading = observation.metrics[self.service].memory_pct
        if reading is not None:
            self._readings.append((observation.step, reading))

    def ratio(self, action_log: ActionLog) -> float:
        """Likelihood that it creeps over that it rests, until it was first restarted."""
        if not self._readings:
            return 1.0
        restarts, rollback = action_log.restarted_at, action_log.rolled_back_at
        ended = min([*restarts[self.service], rollback[self.service]])
        per_step = FULL_PCT * shapes.LEAK_HOLDER_MEMORY_MB_PER_STEP
        per_step /= LIMITS[self.service].memory_limit_mb
        steps, readings = np.array(self._readings).T
        windows = np.maximum(0.0, steps[:, None] - LAGS)
        crept = np.where(windows < ended, per_step * (windows + 1.0), 0.0)
        above_rest = readings[:, None] - self._rest_pct
        resting = np.repeat(above_rest, len(LAGS), axis=1)
        logs = _around_rest(above_rest - crept) - _around_rest(resting)
        return float(LAG_SHARES @ np.exp(np.minimum(logs, LARGEST_LOG_RATIO)))


def _around_rest(residuals: Array) -> Array:
    """Log-likelihood of each column of readings around a level at rest that is itself drawn.

    With reading noise v, level spread s and n residuals r, the level integrated out:
    -1/2 (sum r^2 / v - s (sum r)^2 / (v (v + n s))), less what depends on n alone
    (Sherman-Morrison for the covariance v I + s 11').
    """
    count, noise_var = len(residuals), noise.PERCENT_NOISE**2
    spread_var = REST_SPREAD_PCT**2
    total = residuals.sum(axis=0)
    squares: Array = (residuals**2).sum(axis=0) / noise_var
    shared = spread_var * total**2 / noise_var / (noise_var + count * spread_var)
    logs: Array = -0.5 * (squares - shared)
    return logs
