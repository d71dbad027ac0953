"""Belief over `flapping_network`: a grid over cause, rhythm, loss and the lag of the telemetry.

How a window of the payment gateway looks to the filter, where `share` is what is lost in it:

| seen | expected |
|---|---|
| error rate | k of n calls by chance at `share`; DEFERRED of them count one window later |
| error rate while held out, or behind an open breaker | 1, whatever the cause |
| CPU, stale connection | calls that never arrive cost none: from rest down to idle |
| CPU, bad rollout | as at rest |
| CPU, noisy neighbour | rest, and what the neighbour burns |
| p99 where no call was lost, noisy neighbour | anything up to the forgiven stall |
| p99 where no call was lost, else | log-normal, as at rest |

OUTLIER of the readings mean nothing. The other numbers are the world's own, or the fitted
simulator's. Loads NumPy: import it late.
"""

import math
from itertools import product

import numpy as np
from numpy.typing import NDArray

from orchestrator import noise
from sre_autopilot.models import ServiceMetrics, SREObservation
from sre_autopilot.policies.belief_filter.action_log import NEVER, Deeds
from sre_autopilot.policies.belief_filter.memory_leak import (
    FULL_PCT,
    LAG_SHARES,
    LAGS,
    Array,
    middles,
)
from sre_autopilot.world import shapes
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import MAX_STEPS, SCALE_UP_STEPS, ActionName, FlapCause

PAYMENT = Service.PAYMENT_GATEWAY
CAUSES = tuple(FlapCause)
STALE, ROLLOUT, NOISY, NOTHING = range(4)
PRIOR = 0.25
"""That payment flaps at all."""
LOSSES, BURNS = 6, 5
"""Points of the grid over the share lost, and over what a neighbour burns."""
OUTLIER = 0.01
CALLS, CALLS_WEIGHT, CALLS_MAX = 5.5, 3, 40
"""Calls to payment in a window until spans tell better, and how many windows that is worth."""
DEFERRED = 0.43
CPU_REST_PCT, CPU_WEIGHT, CPU_IDLE_SHARE, CPU_SPREAD_PCT = 13.0, 8, 0.5, 4.0
"""At rest, in so many windows' worth; idle as a share of it; the spread of a reading."""
P99_REST_MS, P99_REST_SPREAD, P99_STALLED_MS = 40.0, 0.4, 240.0
NO_ERROR, RATE_BLUR = 0.03, 0.01
SHARES = np.linspace(0.0, 1.0, 51)
"""Shares for which the chances of an error rate are tabled."""


def flap_grid(loss_points: int, burn_points: int) -> Array:
    """Rows of cause, loss, period, burst, phase, CPU burnt, and weight; weights add up to 1."""
    rows = []
    for cause, shape in enumerate(shapes.FLAP_SHAPES[name] for name in CAUSES):
        losses = middles(*shape.loss_share, loss_points)
        factors = middles(*shape.cpu_factor, burn_points if cause == NOISY else 1)
        periods = range(shape.period_steps[0], shape.period_steps[1] + 1)
        bursts = range(shape.burst_steps[0], shape.burst_steps[1] + 1)
        chance = 1.0 / (len(CAUSES) * len(losses) * len(factors) * len(periods) * len(bursts))
        for loss, factor, period, burst in product(losses, factors, periods, bursts):
            burnt = burnt_pct(float(factor))
            lost = lost_share(cause, float(loss))
            rows += [
                (cause, lost, period, burst, phase, burnt, chance / period)
                for phase in range(period)
            ]
    return np.array(rows)


def lost_share(cause: int, loss_share: float) -> float:
    """What is really lost: a neighbour leaves the starved process CPU_FRACTION_MIN."""
    if cause != NOISY:
        return loss_share
    stalled = 1.0 - shapes.cpu_fraction_for(loss_share)
    return max(0.0, stalled - shapes.STALL_FORGIVEN_S / shapes.STALL_CYCLE_S)


def burnt_pct(cpu_factor: float) -> float:
    return max(0.0, (cpu_factor - 1.0) * shapes.NOMINAL_CPU_PCT)


_GRID = flap_grid(LOSSES, BURNS)
_EARLIEST, _LATEST = -MAX_STEPS, 2 * MAX_STEPS
_TURNS = np.arange(_EARLIEST, _LATEST)[:, None] + _GRID[:, 4]
_DOWN = _TURNS % _GRID[:, 2] < _GRID[:, 3]
"""Whether a hypothesis (column) is in a burst, by step since its rhythm began (row)."""

_PAIRS = np.array([(k, n) for n in range(1, CALLS_MAX + 1) for k in range(n + 1)])
_CHOOSE = np.array([math.comb(int(n), int(k)) for k, n in _PAIRS], np.float64)
_CHANCES = (
    _CHOOSE[:, None] * SHARES ** _PAIRS[:, :1] * (1.0 - SHARES) ** (_PAIRS[:, 1:] - _PAIRS[:, :1])
)
"""Of k failed among n calls, by share."""
_RATES, _OF = _PAIRS[:, 0] / _PAIRS[:, 1], _PAIRS[:, 1]
_LOG_FACTORIALS = np.array([math.lgamma(n + 1) for n in _OF])


def rate_chances(rate: float, calls: float) -> Array:
    """Density of an observed error rate at each of SHARES, for about `calls` calls a window."""
    log_poisson = _OF * math.log(calls) - calls - _LOG_FACTORIALS
    near = np.exp(log_poisson - 0.5 * ((rate - _RATES) / RATE_BLUR) ** 2)
    found: Array = (near / (RATE_BLUR * math.sqrt(2.0 * math.pi))) @ _CHANCES
    return (1.0 - OUTLIER) * found + OUTLIER


class FlapBelief:
    """Rows are hypotheses that payment flaps, columns the lag; `nothing` is that it does not."""

    def __init__(self) -> None:
        grid = _GRID
        self.cause = grid[:, 0].astype(int)
        self.loss, self.burnt = grid[:, 1], grid[:, 5]
        self._log = np.log(PRIOR * grid[:, 6])[:, None] + np.log(LAG_SHARES)
        self._log_nothing = math.log(1.0 - PRIOR) + np.log(LAG_SHARES)
        self.cured_at = np.full(len(grid), NEVER)
        self._shares: list[Array] = []
        self._calls = [CALLS] * CALLS_WEIGHT
        self._cpu_pct: list[float] = []
        self._log_rates: Array = np.zeros_like(SHARES)
        self.weights, self.nothing = np.exp(self._log), 1.0 - PRIOR

    def down(self, step: int, since: int = 0) -> NDArray[np.bool_]:
        """Which hypotheses are in a burst at `step`."""
        found: NDArray[np.bool_] = _DOWN[step - since - _EARLIEST]
        return found

    def uncured(self) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = self.cured_at == NEVER
        return found

    def learn(self, observation: SREObservation, deeds: Deeds, *, blurred: bool) -> None:
        """What was done, then what is seen; `blurred` is that another fault of payment hides it."""
        self._act(deeds)
        self._shares.append(self._share(deeds))
        if blurred:
            return
        seen = observation.metrics[PAYMENT]
        self._know_rest(observation)
        self._log_rates = self._rates(seen.error_rate)
        for lag in LAGS:
            told = self._evidence(seen, max(0, deeds.step - int(lag)), deeds)
            self._log[:, lag] += told[:-1]
            self._log_nothing[lag] += told[-1]
        self._normalise()

    @property
    def cpu_rest_pct(self) -> float:
        """CPU at rest: what is usual, until enough windows without an error tell better."""
        seen = self._cpu_pct or [CPU_REST_PCT]
        weights = CPU_WEIGHT, len(self._cpu_pct)
        return float(np.average([CPU_REST_PCT, np.median(seen)], weights=weights))

    def _know_rest(self, observation: SREObservation) -> None:
        """Notes calls, and CPU where nothing is seen to fail."""
        for edge in observation.trace_edges:
            if edge.callee is PAYMENT:
                self._calls.append(edge.calls / (1.0 - noise.SPAN_LOSS_RATIO))
        seen = observation.metrics[PAYMENT]
        if seen.cpu_pct is not None and (seen.error_rate or 0.0) < NO_ERROR:
            self._cpu_pct.append(seen.cpu_pct)

    def _rates(self, rate: float | None) -> Array:
        """Log-likelihood of an error rate, by share; 0 where none arrived."""
        if rate is None:
            return np.zeros_like(SHARES)
        found: Array = np.log(rate_chances(rate, float(np.mean(self._calls))))
        return found

    def _normalise(self) -> None:
        top = max(self._log.max(), self._log_nothing.max())
        weights, nothing = np.exp(self._log - top), np.exp(self._log_nothing - top)
        total = weights.sum() + nothing.sum()
        self.weights, self.nothing = weights / total, float(nothing.sum() / total)

    def _act(self, deeds: Deeds) -> None:
        """Which hypotheses were cured by what was done to payment."""
        step = deeds.step
        cures = np.zeros(len(self.cause), bool)
        if deeds.did(ActionName.ROLLBACK, PAYMENT):
            cures[:] = True
        elif deeds.did(ActionName.RESTART, PAYMENT):
            drained = self.down(step) | deeds.breaker_open(PAYMENT, step)
            cures = (self.cause == STALE) & drained
        elif deeds.did(ActionName.SCALE_UP, PAYMENT):
            cures, step = self.cause == NOISY, step + SCALE_UP_STEPS
        self.cured_at[cures & self.uncured()] = step

    def _share(self, deeds: Deeds) -> Array:
        """Share of the calls lost in this step's window, by hypothesis."""
        step, since = deeds.step, max([0, *deeds.restarted_at[PAYMENT]])
        serving = deeds.serving(PAYMENT, step)
        rollout = self.down(step, since).astype(float)
        if serving > 1:
            rollout += self.down(step, max(since, deeds.scaled_up_at[PAYMENT]))
        down = np.where(self.cause == ROLLOUT, rollout, self.down(step)) / serving
        return np.where(self.cured_at <= step, 0.0, down * self.loss)

    def _evidence(self, seen: ServiceMetrics, window: int, deeds: Deeds) -> Array:
        """Log-likelihood of what is seen if it is of `window`, by hypothesis; the last: nothing."""
        if deeds.unreachable(PAYMENT, window):
            return np.full(len(self.cause) + 1, self._log_rates[-1])
        share = np.append(self._shares[window], 0.0)
        before = np.zeros_like(share)
        if window and not deeds.unreachable(PAYMENT, window - 1):
            before[:-1] = self._shares[window - 1]
        failed = (1.0 - DEFERRED) * share + DEFERRED * before
        of = 1.0 - DEFERRED * share + DEFERRED * before
        told: Array = self._log_rates[np.rint(failed / of * (len(SHARES) - 1)).astype(int)]
        if seen.error_rate is not None and seen.error_rate < NO_ERROR and seen.latency_p99:
            told = told + self._p99_evidence(seen.latency_p99, share)
        if seen.cpu_pct is not None:
            rest_pct = self.cpu_rest_pct
            expected_pct = self.cpu_pct(self.cause, share[:-1], self.burnt)
            told = told + np.log(cpu_chances(seen.cpu_pct, np.append(expected_pct, rest_pct)))
        return told

    def cpu_pct(self, cause: NDArray[np.int_], share: Array, burnt: Array) -> Array:
        """Expected CPU of a window that loses `share`."""
        rest_pct = self.cpu_rest_pct
        stale = rest_pct - rest_pct * (1.0 - CPU_IDLE_SHARE) * share
        noisy = rest_pct + np.where(share > 0.0, burnt, 0.0)
        found: Array = np.choose(cause, [stale, np.full_like(stale, rest_pct), noisy])
        return found

    def _p99_evidence(self, p99_ms: float, share: Array) -> Array:
        z = (math.log(max(1.0, p99_ms) / P99_REST_MS)) / P99_REST_SPREAD
        rest = math.exp(-0.5 * z * z) / (p99_ms * P99_REST_SPREAD * math.sqrt(2.0 * math.pi))
        stalled = np.append((self.cause == NOISY) & (share[:-1] > 0.0), False)
        anything = 1.0 / P99_STALLED_MS
        found: Array = np.log(np.where(stalled, anything, rest) + OUTLIER * anything)
        return found


def cpu_chances(cpu_pct: float | Array, expected_pct: Array) -> Array:
    """Density of a CPU reading."""
    z = (cpu_pct - expected_pct) / CPU_SPREAD_PCT
    normal: Array = np.exp(-0.5 * z * z) / (CPU_SPREAD_PCT * math.sqrt(2.0 * math.pi))
    found: Array = normal + OUTLIER / FULL_PCT
    return found
