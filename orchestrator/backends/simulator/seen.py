"""What the agent of a lane sees: late, lost and noisy values, verdicts and the hint; as
`orchestrator.noise`, `observation` and `reward` say of one episode. Laws of `reading`.
"""

from typing import Any

import numpy as np

from orchestrator import noise, reward
from orchestrator.backends.simulator import lane as at
from orchestrator.backends.simulator.moves import stream_key
from orchestrator.backends.simulator.reading import (
    column,
    each,
    law,
    mixed,
    root_log,
    some,
    uniform_of,
    unsigned,
    wave,
    where,
)
from orchestrator.backends.simulator.scene import GATEWAY, SERVICES, Measured
from services.mesh.draws import Stream
from services.mesh.sla import ERROR_RATE_LIMIT, P99_LIMIT_MS
from services.mesh.vocabulary import RECOVERY_WINDOWS

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
_SPREAD = np.array([0.0, noise.ERROR_RATE_NOISE, noise.PERCENT_NOISE, noise.PERCENT_NOISE])
_SHARE = np.array([noise.LATENCY_NOISE_RATIO, 0.0, 0.0, 0.0])
_MOST = np.array([np.inf, 1.0, 100.0, 100.0])
_SCALE = np.array([10.0, _TEN_THOUSANDTHS, 10.0, 10.0])
"""Of each metric: standard deviation (latency's is a share of it), bound, steps of one unit."""
WEIGHTS = np.where(np.arange(SERVICES) == GATEWAY, reward.ENTRY_WEIGHT, 1).astype(np.float64)
WEIGHT = float(WEIGHTS.sum())
_LESS_LATE, _LATE = (bound for bound, _ in noise.LAG_STEPS_BELOW[:2])


@law
def lags(lane: at.Lane) -> None:
    """How late each service's telemetry is, the whole episode long."""
    keys, x = lane
    key = stream_key(keys[at.SEED], _LAG, 0.0 * x[at.STEP])
    for s in range(SERVICES):
        u = uniform_of(mixed(key, np.uint64(s)))
        x[at.LAG + s] = where(u < _LESS_LATE, 0.0, where(u < _LATE, 1.0, 2.0))


@law
def remember(lane: at.Lane, out: Measured, broken: Any) -> None:
    """Puts a window of truth where late telemetry finds it."""
    _keys, x = lane
    step = x[at.STEP]
    place = step - at.REMEMBERED * np.floor(step / at.REMEMBERED)
    for s in each(SERVICES):
        calls = out.calls[s]
        rate = where(calls > 0.0, out.failed[s] / np.maximum(1.0, calls), np.nan)
        rate = where(broken[s] > 0.0, 1.0, rate)
        for slot in range(at.REMEMBERED):
            truth, now = at.TRUTH + slot * at.METRICS + s, place == slot
            if some(now):
                x[truth + LATENCY] = where(now, out.p99_ms[s], x[truth + LATENCY])
                x[truth + ERRORS] = where(now, rate, x[truth + ERRORS])
                x[truth + CPU] = where(now, out.cpu_pct[s], x[truth + CPU])
                x[truth + MEMORY] = where(now, out.memory_pct[s], x[truth + MEMORY])


@law
def look(lane: at.Lane) -> None:
    """Metrics of all services as they arrive after this step's window, verdicts and the hint."""
    keys, x = lane
    loss = stream_key(keys[at.SEED], _LOSS, x[at.STEP])
    for metric in range(noise.METRICS_PER_SERVICE):
        key = stream_key(keys[at.SEED], _STREAMS[metric], x[at.STEP])
        for s in each(SERVICES):
            i = metric * SERVICES + s
            value = _arrived(x, i, s)
            spread = _SPREAD[metric] + _SHARE[metric] * value
            value = value + spread * _normal(key, s)
            value = where(value < 0.0, 0.0, where(value > _MOST[metric], _MOST[metric], value))
            index = unsigned(column(s * noise.METRICS_PER_SERVICE + metric))
            lost = uniform_of(mixed(loss, index)) < noise.METRIC_LOSS_RATIO
            seen = np.rint(value * _SCALE[metric]) / _SCALE[metric]
            x[at.SEEN + i] = where(lost, np.nan, seen)
    _judge(x)


@law
def _arrived(x: Any, i: Any, s: Any) -> Any:
    """The truth that arrives now, of a service whose telemetry is late."""
    late = x[at.STEP] - x[at.LAG + s]
    step = where(late > 0.0, late, 0.0)
    place = step - at.REMEMBERED * np.floor(step / at.REMEMBERED)
    first, second = x[at.TRUTH + i], x[at.TRUTH + at.METRICS + i]
    third = x[at.TRUTH + 2 * at.METRICS + i]
    return where(place == 0.0, first, where(place == 1.0, second, third))


@law
def _normal(key: Any, s: Any) -> Any:
    """By Box and Muller, as `services.mesh.draws.normal` draws it."""
    u_1 = 1.0 - uniform_of(mixed(key, unsigned(column(2 * s))))
    u_2 = uniform_of(mixed(key, unsigned(column(2 * s + 1))))
    return root_log(u_1) * wave(u_2)


@law
def _judge(x: Any) -> None:
    """Verdicts by what is seen, and the hint's total."""
    met_weight, down, unmet = 0.0 * x[at.STEP], 0.0 * x[at.STEP], 0.0 * x[at.STEP]
    for s in range(SERVICES):
        latency, errors = x[at.SEEN + LATENCY + s], x[at.SEEN + ERRORS + s]
        bad = (errors > ERROR_RATE_LIMIT) | (latency > P99_LIMIT_MS)
        known = (np.isnan(errors) | np.isnan(latency)) ^ True
        verdict = where(bad, 0.0, where(known, 1.0, x[at.VERDICT + s]))
        x[at.VERDICT + s] = verdict
        met_weight = met_weight + verdict * WEIGHTS[s]
        unmet = unmet + (1.0 - verdict)
        down = down + where(errors >= reward.DOWN_ERROR_RATE, 1.0, 0.0)
    bad_before = x[at.NOISY_BAD]
    x[at.NOISY_STREAK] = where(unmet > 0.0, 0.0, x[at.NOISY_STREAK] + 1.0)
    x[at.NOISY_BAD] = where(unmet > 0.0, 1.0, bad_before)
    resolved = (x[at.NOISY_STREAK] >= RECOVERY_WINDOWS) & (bad_before > 0.0)
    compliance = np.rint(met_weight / WEIGHT * _TEN_THOUSANDTHS) / _TEN_THOUSANDTHS
    penalty = np.rint(down / SERVICES * _TEN_THOUSANDTHS) / _TEN_THOUSANDTHS
    bonus = where(resolved, reward.RESOLUTION_BONUS, 0.0)
    total = compliance - x[at.SPENT] / reward.COST_SCALE - penalty + bonus
    x[at.HINT] = np.rint(total * _TEN_THOUSANDTHS) / _TEN_THOUSANDTHS
