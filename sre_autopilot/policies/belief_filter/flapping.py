"""Belief over `flapping_network`: a grid over cause, rhythm, loss and the lag of the telemetry.

How a window of the payment gateway looks to the filter, where `share` is the share of calls lost:

| reading | expected |
|---|---|
| error rate | k of n calls by chance at `share`; EARLY + DEFERRED of them count one window later |
| error rate after a restart, or behind an open breaker | 1, whatever the cause |
| CPU, stale connection | rest; lost calls never arrive, and cost what their ends cost |
| CPU, bad rollout | rest, and what the ends of lost calls cost |
| CPU, noisy neighbour | rest, and what the neighbour burns |
| p99 where no call was lost, noisy neighbour | uniform up to P99_STALLED_MS |
| p99 where no call was lost, else | log-normal, as at rest |

Each density has a floor of OUTLIER, so that one reading cannot exclude a hypothesis. Shapes of
faults are the world's own, levels at rest those of the fitted simulator. Loads NumPy: import it
late.
"""

import math

import numpy as np
from numpy.typing import NDArray

from orchestrator import noise
from sre_autopilot.models import ServiceMetrics, SREObservation
from sre_autopilot.policies.belief_filter.action_log import NEVER, ActionLog
from sre_autopilot.policies.belief_filter.fitted import (
    DEFERRED,
    EARLY,
    PAYMENT_CALLS,
    PAYMENT_CPU_CALLS_PCT,
    PAYMENT_CPU_LOST_PCT,
    PAYMENT_CPU_REST_PCT,
    PAYMENT_P99_REST_MS,
)
from sre_autopilot.policies.belief_filter.flap_grid import NOISY, ROLLOUT, STALE, flap_grid
from sre_autopilot.policies.belief_filter.memory_leak import FULL_PCT, LAG_SHARES, LAGS, Array
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import MAX_STEPS, SCALE_UP_STEPS, ActionName

PAYMENT = Service.PAYMENT_GATEWAY
PRIOR = 0.25
"""That the payment gateway flaps at all."""
LOSSES, BURNS = 6, 5
"""Points of the grid over the share lost, and over what a neighbour burns."""
OUTLIER = 0.01
"""Share of readings that mean nothing."""
CALLS_WEIGHT, CALLS_MAX = 3, 40
"""Windows that PAYMENT_CALLS is worth beside those counted in spans; most calls in a window."""
CPU_WEIGHT, CPU_SPREAD_PCT = 8, 4.0
"""Windows that PAYMENT_CPU_REST_PCT is worth; deviation of a reading: noise, and how calls vary."""
P99_REST_SPREAD, P99_STALLED_MS = 0.4, 240.0
"""Standard deviation of log p99 at rest; p99 of a stall that is just forgiven."""
NO_ERROR, RATE_BLUR = 0.03, 0.01
"""Noise alone stays below the first; standard deviation that an exact rate is blurred by."""
SHARES = np.linspace(0.0, 1.0, 51)
"""Shares for which the chances of an error rate are tabled."""


_GRID = flap_grid(LOSSES, BURNS)
# A rollout's rhythm begins with its replica, so that steps since then may be negative; plans look
# beyond the last step.
_EARLIEST, _LATEST = -MAX_STEPS, 2 * MAX_STEPS
_TURNS = np.arange(_EARLIEST, _LATEST)[:, None] + _GRID[:, 4]
_DOWN = _TURNS % _GRID[:, 2] < _GRID[:, 3]
"""Whether a hypothesis (column) is in a burst, by step since its rhythm began (row)."""

# All (failed, calls) with calls up to CALLS_MAX: a rate of 0.5 may be 1 of 2, 2 of 4, 3 of 6 ...
_PAIRS = np.array([(k, n) for n in range(1, CALLS_MAX + 1) for k in range(n + 1)])
_CHOOSE = np.array([math.comb(int(n), int(k)) for k, n in _PAIRS], np.float64)
_CHANCES = (
    _CHOOSE[:, None] * SHARES ** _PAIRS[:, :1] * (1.0 - SHARES) ** (_PAIRS[:, 1:] - _PAIRS[:, :1])
)
"""Binomial probability of k failed among n calls: rows are pairs, columns SHARES."""
_RATES, _OF = _PAIRS[:, 0] / _PAIRS[:, 1], _PAIRS[:, 1]
_LOG_FACTORIALS = np.array([math.lgamma(n + 1) for n in _OF])


def rate_chances(rate: float, calls: float) -> Array:
    """Density of an observed error rate at each of SHARES, for about `calls` calls a window.

    Sum over n of Poisson(n; calls), over k of Binomial(k; n, share), of a normal around k / n: the
    number of calls behind a rate is not known.
    """
    log_poisson = _OF * math.log(calls) - calls - _LOG_FACTORIALS
    near = np.exp(log_poisson - 0.5 * ((rate - _RATES) / RATE_BLUR) ** 2)
    density: Array = (near / (RATE_BLUR * math.sqrt(2.0 * math.pi))) @ _CHANCES
    return (1.0 - OUTLIER) * density + OUTLIER


class FlapBelief:
    """`weights` is (hypotheses that the gateway flaps, LAGS); `nothing`: that it does not.

    Kept as logarithms between windows: products of thirty densities would underflow.
    """

    def __init__(self) -> None:
        grid = _GRID
        self.cause = grid[:, 0].astype(int)
        self.loss, self.burnt = grid[:, 1], grid[:, 5]
        self._log = np.log(PRIOR * grid[:, 6])[:, None] + np.log(LAG_SHARES)
        self._log_nothing = math.log(1.0 - PRIOR) + np.log(LAG_SHARES)
        self.cured_at = np.full(len(grid), NEVER)
        self._shares: list[Array] = []
        self._calls = [PAYMENT_CALLS] * CALLS_WEIGHT
        self._cpu_pct: list[float] = []
        self._log_rates: Array = np.zeros_like(SHARES)
        self.weights, self.nothing = np.exp(self._log), 1.0 - PRIOR

    def never_changed(self) -> tuple[Array, ...]:
        """Arrays that it replaces or adds to, but never writes into."""
        return (self.cause, self.loss, self.burnt, self.weights, self._log_rates, *self._shares)

    def down(self, step: int, since: int = 0) -> NDArray[np.bool_]:
        """Which hypotheses are in a burst at `step`, by a rhythm that began at `since`."""
        in_burst: NDArray[np.bool_] = _DOWN[step - since - _EARLIEST]
        return in_burst

    def uncured(self) -> NDArray[np.bool_]:
        """Which hypotheses no action has cured so far."""
        mask: NDArray[np.bool_] = self.cured_at == NEVER
        return mask

    def learn(self, observation: SREObservation, action_log: ActionLog, *, obscured: bool) -> None:
        """Applies what was done, then weighs every hypothesis by what arrived.

        obscured: the gateway has a fault of another kind, which hides this one's symptoms.
        """
        self._apply(action_log)
        self._shares.append(self._share(action_log))
        if obscured:
            return
        metrics = observation.metrics[PAYMENT]
        self._learn_rest(observation)
        self._log_rates = self._rates(metrics.error_rate)
        for lag in LAGS:
            # Until the first late window arrives, telemetry repeats that of reset.
            log = self._log_likelihood(metrics, max(0, action_log.step - int(lag)), action_log)
            self._log[:, lag] += log[:-1]
            self._log_nothing[lag] += log[-1]
        self._normalise()

    @property
    def cpu_rest_pct(self) -> float:
        """CPU at rest: the fitted one, weighted against the windows without an error so far."""
        readings = self._cpu_pct or [PAYMENT_CPU_REST_PCT]
        weights = CPU_WEIGHT, len(self._cpu_pct)
        return float(np.average([PAYMENT_CPU_REST_PCT, np.median(readings)], weights=weights))

    def _learn_rest(self, observation: SREObservation) -> None:
        """Notes calls, and CPU of windows without an error; it is why the policy needs traces."""
        for edge in observation.trace_edges:
            if edge.callee is PAYMENT:
                # Spans are lost one by one: what is left stands for more.
                self._calls.append(edge.calls / (1.0 - noise.SPAN_LOSS_RATIO))
        metrics = observation.metrics[PAYMENT]
        if metrics.cpu_pct is not None and (metrics.error_rate or 0.0) < NO_ERROR:
            self._cpu_pct.append(metrics.cpu_pct)

    def _rates(self, rate: float | None) -> Array:
        """Log-likelihood of an error rate, by share; 0 where none arrived."""
        if rate is None:
            return np.zeros_like(SHARES)
        logs: Array = np.log(rate_chances(rate, float(np.mean(self._calls))))
        return logs

    def _normalise(self) -> None:
        # Less the largest before `exp`, so that the likeliest hypothesis neither over- nor
        # underflows.
        top = max(self._log.max(), self._log_nothing.max())
        weights, nothing = np.exp(self._log - top), np.exp(self._log_nothing - top)
        total = weights.sum() + nothing.sum()
        self.weights, self.nothing = weights / total, float(nothing.sum() / total)

    def _apply(self, action_log: ActionLog) -> None:
        """Marks the hypotheses that what was done to the gateway has cured: the world's rules."""
        step = action_log.step
        cures = np.zeros(len(self.cause), bool)
        if action_log.did(ActionName.ROLLBACK, PAYMENT):
            cures[:] = True
        elif action_log.did(ActionName.RESTART, PAYMENT):
            drained = self.down(step) | action_log.breaker_open(PAYMENT, step)
            cures = (self.cause == STALE) & drained
        elif action_log.did(ActionName.SCALE_UP, PAYMENT):
            cures, step = self.cause == NOISY, step + SCALE_UP_STEPS
        self.cured_at[cures & self.uncured()] = step

    def _share(self, action_log: ActionLog) -> Array:
        """Share of the calls lost in this step's window, by hypothesis.

        A bad rollout flaps with the age of its process: a second replica has a rhythm of its own.
        The other causes have one rhythm for the whole service, and hit one replica only.
        """
        step, since = action_log.step, max([0, *action_log.restarted_at[PAYMENT]])
        serving = action_log.serving(PAYMENT, step)
        rollout = self.down(step, since).astype(float)
        if serving > 1:
            rollout += self.down(step, max(since, action_log.scaled_up_at[PAYMENT]))
        down = np.where(self.cause == ROLLOUT, rollout, self.down(step)) / serving
        return np.where(self.cured_at <= step, 0.0, down * self.loss)

    def _log_likelihood(self, metrics: ServiceMetrics, window: int, action_log: ActionLog) -> Array:
        """Of `metrics` if they are of `window`, by hypothesis; the last: that nothing flaps."""
        if action_log.unreachable(PAYMENT, window):
            # All calls fail, whatever the cause.
            return np.full(len(self.cause) + 1, self._log_rates[-1])
        share = np.append(self._shares[window], 0.0)
        before = np.zeros_like(share)
        if window and not action_log.unreachable(PAYMENT, window - 1):
            before[:-1] = self._shares[window - 1]
        # A call that hangs at the end of a window is counted in the next, as failed and as a call;
        # and the first calls of a window are lost as those of the last one.
        lag = DEFERRED + EARLY
        failed = (1.0 - lag) * share + lag * before
        calls = 1.0 - DEFERRED * share + DEFERRED * before
        log: Array = self._log_rates[np.rint(failed / calls * (len(SHARES) - 1)).astype(int)]
        if metrics.error_rate is not None and metrics.error_rate < NO_ERROR and metrics.latency_p99:
            log = log + self._log_p99(metrics.latency_p99, share)
        if metrics.cpu_pct is not None:
            rest_pct = self.cpu_rest_pct
            expected_pct = self.cpu_pct(self.cause, share[:-1], self.burnt)
            log = log + np.log(cpu_chances(metrics.cpu_pct, np.append(expected_pct, rest_pct)))
        return log

    def cpu_pct(self, cause: NDArray[np.int_], share: Array, burnt: Array) -> Array:
        """Expected CPU of a window that loses `share`, percent of the limit: the table above."""
        rest_pct = self.cpu_rest_pct
        rollout = rest_pct + PAYMENT_CPU_LOST_PCT * share
        stale = rollout - PAYMENT_CPU_CALLS_PCT * share
        noisy = rest_pct + np.where(share > 0.0, burnt, 0.0)
        expected: Array = np.choose(cause, [stale, rollout, noisy])
        return expected

    def _log_p99(self, p99_ms: float, share: Array) -> Array:
        """Of a p99 where no call was lost, by hypothesis; the last: that nothing flaps."""
        z = (math.log(max(1.0, p99_ms) / PAYMENT_P99_REST_MS)) / P99_REST_SPREAD
        rest = math.exp(-0.5 * z * z) / (p99_ms * P99_REST_SPREAD * math.sqrt(2.0 * math.pi))
        stalled = np.append((self.cause == NOISY) & (share[:-1] > 0.0), False)
        uniform = 1.0 / P99_STALLED_MS
        logs: Array = np.log(np.where(stalled, uniform, rest) + OUTLIER * uniform)
        return logs


def cpu_chances(cpu_pct: float | Array, expected_pct: Array) -> Array:
    """Density of a CPU reading (per percent) around what is expected, with its floor."""
    z = (cpu_pct - expected_pct) / CPU_SPREAD_PCT
    normal: Array = np.exp(-0.5 * z * z) / (CPU_SPREAD_PCT * math.sqrt(2.0 * math.pi))
    density: Array = normal + OUTLIER / FULL_PCT
    return density
