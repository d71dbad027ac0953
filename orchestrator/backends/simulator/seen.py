"""What the agent of a lane sees: late, lost and noisy values, verdicts and the hint; as
`orchestrator.noise`, `observation` and `reward` say of one episode. Laws of `reading`.
"""

from typing import Any

import numpy as np

from orchestrator import noise, reward
from orchestrator.backends.simulator import lane as at
from orchestrator.backends.simulator.moves import stream_key
from orchestrator.backends.simulator.reading import law, mixed, root_log, uniform_of, wave, where
from orchestrator.backends.simulator.scene import GATEWAY, SERVICES, Measured
from services.mesh.draws import Stream
from services.mesh.sla import ERROR_RATE_LIMIT, P99_LIMIT_MS
from services.mesh.vocabulary import RECOVERY_WINDOWS

LATENCY, ERRORS, CPU, MEMORY = (SERVICES * metric for metric in range(4))
"""Where each metric's seven values begin, in truth and in what is seen."""
_LAG, _LOSS = np.uint64(Stream.LAG), np.uint64(Stream.METRIC_LOSS)
_NOISES = np.array(
    [Stream.LATENCY_NOISE, Stream.ERROR_NOISE, Stream.CPU_NOISE, Stream.MEMORY_NOISE], np.uint64
)
_TENTHS, _TEN_THOUSANDTHS, _ALL_PCT = 10.0, 10_000.0, 100.0
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
    for s in range(SERVICES):
        calls = out.calls[s]
        rate = where(calls > 0.0, out.failed[s] / np.maximum(1.0, calls), np.nan)
        rate = where(broken[s] > 0.0, 1.0, rate)
        for slot in range(at.REMEMBERED):
            truth, now = at.TRUTH + slot * at.METRICS + s, place == slot
            x[truth + LATENCY] = where(now, out.p99_ms[s], x[truth + LATENCY])
            x[truth + ERRORS] = where(now, rate, x[truth + ERRORS])
            x[truth + CPU] = where(now, out.cpu_pct[s], x[truth + CPU])
            x[truth + MEMORY] = where(now, out.memory_pct[s], x[truth + MEMORY])


@law
def _z(key: Any, s: int) -> Any:
    """Standard normal by Box-Muller, as `services.mesh.draws.normal`."""
    u_1 = 1.0 - uniform_of(mixed(key, np.uint64(2 * s)))
    return root_log(u_1) * wave(uniform_of(mixed(key, np.uint64(2 * s + 1))))


@law
def _late(x: Any, s: int, metric: int) -> Any:
    """The value that arrives in this step."""
    step = np.maximum(0.0, x[at.STEP] - x[at.LAG + s])
    place = step - at.REMEMBERED * np.floor(step / at.REMEMBERED)
    value = x[at.TRUTH + metric + s]
    for slot in range(1, at.REMEMBERED):
        value = where(place == slot, x[at.TRUTH + slot * at.METRICS + metric + s], value)
    return value


@law
def look(lane: at.Lane) -> None:
    """Metrics of all services as they arrive after this step's window, verdicts and the hint."""
    keys, x = lane
    seed, step = keys[at.SEED], x[at.STEP]
    loss = stream_key(seed, _LOSS, step)
    for metric in range(noise.METRICS_PER_SERVICE):
        key = stream_key(seed, _NOISES[metric], step)
        for s in range(SERVICES):
            value, z = _late(x, s, metric * SERVICES), _z(key, s)
            index = np.uint64(s * noise.METRICS_PER_SERVICE + metric)
            lost = uniform_of(mixed(loss, index)) < noise.METRIC_LOSS_RATIO
            if metric == 0:
                noisy = np.maximum(0.0, value * (1.0 + noise.LATENCY_NOISE_RATIO * z))
                seen = np.rint(noisy * _TENTHS) / _TENTHS
            elif metric == 1:
                noisy = np.minimum(1.0, np.maximum(0.0, value + noise.ERROR_RATE_NOISE * z))
                seen = np.rint(noisy * _TEN_THOUSANDTHS) / _TEN_THOUSANDTHS
            else:
                noisy = np.minimum(_ALL_PCT, np.maximum(0.0, value + noise.PERCENT_NOISE * z))
                seen = np.rint(noisy * _TENTHS) / _TENTHS
            x[at.SEEN + metric * SERVICES + s] = where(lost, np.nan, seen)
    _judge(x)


@law
def _judge(x: Any) -> None:
    """Verdicts by what is seen, and the hint's total."""
    met_weight, down, unmet = 0.0 * x[at.STEP], 0.0 * x[at.STEP], 0.0 * x[at.STEP]
    for s in range(SERVICES):
        latency, errors = x[at.SEEN + LATENCY + s], x[at.SEEN + ERRORS + s]
        bad = (errors > ERROR_RATE_LIMIT) | (latency > P99_LIMIT_MS)
        known = (errors == errors) & (latency == latency)
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
