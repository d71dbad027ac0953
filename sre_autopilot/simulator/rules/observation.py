"""What the agent of a lane sees: late, lost and noisy values, verdicts and the hint; as
`orchestrator.noise`, `observation` and `reward` say of one episode. Laws of `reading`.
"""

import math
from fractions import Fraction
from typing import Any

import numpy as np

from orchestrator import noise, reward
from sre_autopilot.simulator.rules import state_layout as at
from sre_autopilot.simulator.rules.actions import stream_key
from sre_autopilot.simulator.rules.array_ops import (
    column,
    each,
    entry,
    law,
    mixed,
    normal_of,
    plus,
    real,
    some,
    uniform_of,
    unsigned,
    where,
)
from sre_autopilot.simulator.rules.window_arrays import GATEWAY, SERVICES, Measured
from sre_autopilot.world.draws import Stream
from sre_autopilot.world.sla import ERROR_RATE_LIMIT, P99_LIMIT_MS
from sre_autopilot.world.vocabulary import RECOVERY_WINDOWS

LATENCY, ERRORS, CPU, MEMORY = (SERVICES * metric for metric in range(4))
"""Where each metric's seven values begin, in truth and in what is seen."""
_LAG, _LOSS = np.uint64(Stream.LAG), np.uint64(Stream.METRIC_LOSS)
_STREAMS = np.array(
    [
        Stream.LATENCY_NOISE,
        Stream.ERROR_NOISE,
        Stream.CPU_NOISE,
        Stream.MEMORY_NOISE,
    ],
    np.uint64,
)
_TEN_THOUSANDTHS = 10_000.0
_LOST_BELOW = np.uint64(math.ceil(noise.METRIC_LOSS_RATIO * 2**53) << 11)
"""The first key whose uniform is not below the ratio."""
_SPREAD = np.array([0.0, noise.ERROR_RATE_NOISE, noise.PERCENT_NOISE, noise.PERCENT_NOISE])
_SHARE = np.array([noise.LATENCY_NOISE_RATIO, 0.0, 0.0, 0.0])
_MOST = np.array([np.inf, 1.0, 100.0, 100.0])
_SCALE = np.array([10.0, _TEN_THOUSANDTHS, 10.0, 10.0])
"""Of each metric: standard deviation (latency's is a share of it), bound, steps of one unit."""
_UNIT_HIGH = (1.0 / _SCALE).astype(np.float32).astype(np.float64)
_UNIT_LOW = np.array(
    [
        float(Fraction(1, int(n)) - Fraction(high))
        for n, high in zip(_SCALE, _UNIT_HIGH, strict=True)
    ]
)
"""One unit, in two parts: the first times a whole number is exact, so that the sum of both is what
a division would give, which takes far longer.
"""
WEIGHTS = np.where(np.arange(SERVICES) == GATEWAY, reward.ENTRY_WEIGHT, 1).astype(np.float64)
WEIGHT = float(WEIGHTS.sum())
_LESS_LATE, _LATE = (bound for bound, _ in noise.LAG_STEPS_BELOW[:2])


@law
def lags(lane: at.Lane) -> None:
    """How late each service's telemetry is, the whole episode long."""
    keys, x = lane
    key = stream_key(keys[at.FOLDED], _LAG, 0.0 * x[at.STEP])
    for s in each(SERVICES):
        u = uniform_of(mixed(key, unsigned(column(s))))
        x[at.LAG + s] = where(u < _LESS_LATE, 0.0, where(u < _LATE, 1.0, 2.0))


@law
def tell(out: Measured, broken: Any) -> None:
    """The truth of a window, as telemetry would tell it."""
    for s in each(SERVICES):
        calls, failed = out.calls[s], out.failed[s]
        rate = where(calls > 0.0, 0.0, np.nan)
        if some(failed > 0.0):
            rate = where(failed > 0.0, failed / np.maximum(1.0, calls), rate)
        out.truth[LATENCY + s] = out.p99_ms[s]
        out.truth[ERRORS + s] = where(broken[s] > 0.0, 1.0, rate)
        out.truth[CPU + s] = out.cpu_pct[s]
        out.truth[MEMORY + s] = out.memory_pct[s]


@law
def look(lane: at.Lane, truth: Any) -> None:
    """Metrics of all services as they arrive after this step's window, verdicts and the hint."""
    keys, x = lane
    loss = stream_key(keys[at.FOLDED], _LOSS, x[at.STEP])
    for metric in range(noise.METRICS_PER_SERVICE):
        key = stream_key(keys[at.FOLDED], _STREAMS[metric], x[at.STEP])
        for s in each(SERVICES):
            # Noise for now: on their own, long chains of operations overlap.
            x[at.SEEN + metric * SERVICES + s] = normal_of(mixed(key, unsigned(column(s))))
    for metric in range(noise.METRICS_PER_SERVICE):
        for s in each(SERVICES):
            i = metric * SERVICES + s
            value = _arrived(x, truth[i], i, s)
            spread = _SPREAD[metric] + _SHARE[metric] * value
            value = value + spread * x[at.SEEN + i]
            value = np.minimum(_MOST[metric], np.maximum(0.0, value))
            index = unsigned(column(s * noise.METRICS_PER_SERVICE + metric))
            lost = mixed(loss, index) < _LOST_BELOW
            units = np.rint(value * _SCALE[metric])
            seen = units * _UNIT_HIGH[metric] + units * _UNIT_LOW[metric]
            x[at.SEEN + i] = where(lost, np.nan, seen)
    _judge(x)


@law
def _arrived(x: Any, now: Any, i: Any, s: Any) -> Any:
    """The truth that arrives now, of a service whose telemetry is late; the rest grows older."""
    late = np.minimum(x[at.LAG + s], x[at.STEP])
    before = x[at.BEFORE + i]
    arrived = where(late == 0.0, now, where(late == 1.0, before, x[at.LONG_BEFORE + i]))
    x[at.LONG_BEFORE + i], x[at.BEFORE + i] = before, now
    return arrived


@law
def _judge(x: Any) -> None:
    """Verdicts by what is seen, and the hint's total."""
    met_weight, down, unmet = 0.0 * x[at.STEP], 0.0 * x[at.STEP], 0.0 * x[at.STEP]
    for s in each(SERVICES):
        latency, errors = x[at.SEEN + LATENCY + s], x[at.SEEN + ERRORS + s]
        bad = (errors > ERROR_RATE_LIMIT) | (latency > P99_LIMIT_MS)
        known = (np.isnan(errors) | np.isnan(latency)) ^ True
        verdict = where(bad, 0.0, where(known, 1.0, x[at.VERDICT + s]))
        x[at.VERDICT + s] = verdict
        met_weight = plus(met_weight, verdict * entry(WEIGHTS, s))
        unmet = plus(unmet, 1.0 - verdict)
        down = plus(down, real(errors >= reward.DOWN_ERROR_RATE))
    bad_before = x[at.NOISY_BAD]
    x[at.NOISY_STREAK] = where(unmet > 0.0, 0.0, x[at.NOISY_STREAK] + 1.0)
    x[at.NOISY_BAD] = where(unmet > 0.0, 1.0, bad_before)
    resolved = (x[at.NOISY_STREAK] >= RECOVERY_WINDOWS) & (bad_before > 0.0)
    compliance = np.rint(met_weight / WEIGHT * _TEN_THOUSANDTHS) / _TEN_THOUSANDTHS
    penalty = np.rint(down / SERVICES * _TEN_THOUSANDTHS) / _TEN_THOUSANDTHS
    bonus = where(resolved, reward.RESOLUTION_BONUS, 0.0)
    total = compliance - x[at.SPENT] / reward.COST_SCALE - penalty + bonus
    x[at.HINT] = np.rint(total * _TEN_THOUSANDTHS) / _TEN_THOUSANDTHS
