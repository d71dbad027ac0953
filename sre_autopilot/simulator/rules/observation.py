"""What the agent of a lane observes: late, lost and noisy metrics, verdicts and the reward hint.

The same rules as `orchestrator.noise`, `observation` and `reward`, over arrays; tests hold both
equal (tests/sre_autopilot/simulator/rules/test_step.py). Never changes the truth.
"""

import math
from fractions import Fraction
from typing import Any

import numpy as np

from orchestrator import noise, reward
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.simulator.rules.array_ops import (
    accumulate,
    any_lane,
    each_row,
    fold_key,
    negate,
    normal_of_key,
    row_constant,
    row_numbers,
    rule,
    stream_key,
    to_float,
    to_key,
    uniform_of_key,
    where,
    zeros_like,
)
from sre_autopilot.simulator.rules.window_arrays import GATEWAY, SERVICE_COUNT, Measured
from sre_autopilot.world.draws import Stream
from sre_autopilot.world.sla import ERROR_RATE_LIMIT, P99_LIMIT_MS
from sre_autopilot.world.vocabulary import RECOVERY_WINDOWS

LATENCY, ERRORS, CPU, MEMORY = (SERVICE_COUNT * metric for metric in range(4))
"""Where each metric's seven values begin, in the truth and in what is observed."""
_LAG, _LOSS = np.uint64(Stream.LAG), np.uint64(Stream.METRIC_LOSS)
_NOISE_STREAMS = np.array(
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
"""The smallest key whose uniform is not below the ratio: keys are compared, not converted."""
# By metric: standard deviation in its own unit, the same as a share of the value, the highest
# value, and how many rounding units make up one of its unit.
_DEVIATION = np.array([0.0, noise.ERROR_RATE_NOISE, noise.PERCENT_NOISE, noise.PERCENT_NOISE])
_DEVIATION_SHARE = np.array([noise.LATENCY_NOISE_RATIO, 0.0, 0.0, 0.0])
_HIGHEST = np.array([np.inf, 1.0, 100.0, 100.0])
_SCALE = np.array([10.0, _TEN_THOUSANDTHS, 10.0, 10.0])
# One rounding unit, 1 / _SCALE, in two parts. The high part has 24 significant bits, so that a
# whole number times it is exact; adding the low part's product then rounds as a division would,
# which takes several times as long. Tests compare the result with Python's `round`.
_UNIT_HIGH = (1.0 / _SCALE).astype(np.float32).astype(np.float64)
_UNIT_LOW = np.array(
    [
        float(Fraction(1, int(n)) - Fraction(high))
        for n, high in zip(_SCALE, _UNIT_HIGH, strict=True)
    ]
)
WEIGHTS = np.where(np.arange(SERVICE_COUNT) == GATEWAY, reward.ENTRY_WEIGHT, 1).astype(np.float64)
TOTAL_WEIGHT = float(WEIGHTS.sum())
_ON_TIME_BELOW, _ONE_LATE_BELOW = (bound for bound, _ in noise.LAG_STEPS_BELOW[:2])


@rule
def draw_lags(lane: layout.Lane) -> None:
    """Draws how many steps each service's telemetry is late, for the whole episode."""
    keys, x = lane
    key = stream_key(keys[layout.SEED_KEY], _LAG, zeros_like(x[layout.STEP]))
    for s in each_row(SERVICE_COUNT):
        u = uniform_of_key(fold_key(key, to_key(row_numbers(s))))
        x[layout.LAG + s] = where(u < _ON_TIME_BELOW, 0.0, where(u < _ONE_LATE_BELOW, 1.0, 2.0))


@rule
def record_truth(out: Measured, breaker_open: Any) -> None:
    """Fills `out.truth` with the window as telemetry reports it, before noise."""
    for s in each_row(SERVICE_COUNT):
        calls, failed = out.calls[s], out.failed[s]
        rate = where(calls > 0.0, 0.0, np.nan)
        # Divisions take long, and in most windows nothing fails.
        if any_lane(failed > 0.0):
            rate = where(failed > 0.0, failed / np.maximum(1.0, calls), rate)
        out.truth[LATENCY + s] = out.p99_ms[s]
        out.truth[ERRORS + s] = where(breaker_open[s] > 0.0, 1.0, rate)
        out.truth[CPU + s] = out.cpu_pct[s]
        out.truth[MEMORY + s] = out.memory_pct[s]


@rule
def observe_metrics(lane: layout.Lane, truth: Any) -> None:
    """Writes metrics as they arrive after this step's window, verdicts and the hint."""
    keys, x = lane
    loss = stream_key(keys[layout.SEED_KEY], _LOSS, x[layout.STEP])
    for metric in range(noise.METRICS_PER_SERVICE):
        key = stream_key(keys[layout.SEED_KEY], _NOISE_STREAMS[metric], x[layout.STEP])
        for s in each_row(SERVICE_COUNT):
            # All normals first, kept where the result will stand: 28 long chains of operations
            # without branches between them overlap in the processor.
            normal = normal_of_key(fold_key(key, to_key(row_numbers(s))))
            x[layout.OBSERVED + metric * SERVICE_COUNT + s] = normal
    for metric in range(noise.METRICS_PER_SERVICE):
        for s in each_row(SERVICE_COUNT):
            i = metric * SERVICE_COUNT + s
            value = _delayed(x, truth[i], i, s)
            deviation = _DEVIATION[metric] + _DEVIATION_SHARE[metric] * value
            value = value + deviation * x[layout.OBSERVED + i]
            value = np.minimum(_HIGHEST[metric], np.maximum(0.0, value))
            index = to_key(row_numbers(s * noise.METRICS_PER_SERVICE + metric))
            lost = fold_key(loss, index) < _LOST_BELOW
            units = np.rint(value * _SCALE[metric])
            rounded = units * _UNIT_HIGH[metric] + units * _UNIT_LOW[metric]
            x[layout.OBSERVED + i] = where(lost, np.nan, rounded)
    _update_verdicts(x)


@rule
def _delayed(x: Any, now: Any, i: Any, s: Any) -> Any:
    """The value of metric `i` that arrives now, 0 to 2 windows old; keeps `now` for later."""
    lag = np.minimum(x[layout.LAG + s], x[layout.STEP])
    one_ago = x[layout.TRUTH_1_AGO + i]
    older = where(lag == 1.0, one_ago, x[layout.TRUTH_2_AGO + i])
    arrived = where(lag == 0.0, now, older)
    x[layout.TRUTH_2_AGO + i], x[layout.TRUTH_1_AGO + i] = one_ago, now
    return arrived


@rule
def _update_verdicts(x: Any) -> None:
    """Verdicts by what is observed, and the total of the hint: `orchestrator.reward.hint`."""
    step = x[layout.STEP]
    met_weight, down, unmet = zeros_like(step), zeros_like(step), zeros_like(step)
    for s in each_row(SERVICE_COUNT):
        latency, errors = x[layout.OBSERVED + LATENCY + s], x[layout.OBSERVED + ERRORS + s]
        bad = (errors > ERROR_RATE_LIMIT) | (latency > P99_LIMIT_MS)
        complete = negate(np.isnan(errors) | np.isnan(latency))
        # With a value lost and the other good, the last verdict stands.
        verdict = where(bad, 0.0, where(complete, 1.0, x[layout.VERDICT + s]))
        x[layout.VERDICT + s] = verdict
        met_weight = accumulate(met_weight, verdict * row_constant(WEIGHTS, s))
        unmet = accumulate(unmet, 1.0 - verdict)
        down = accumulate(down, to_float(errors >= reward.DOWN_ERROR_RATE))
    bad_before = x[layout.NOISY_BAD]
    x[layout.NOISY_STREAK] = where(unmet > 0.0, 0.0, x[layout.NOISY_STREAK] + 1.0)
    x[layout.NOISY_BAD] = where(unmet > 0.0, 1.0, bad_before)
    # Only a mesh that was seen to be bad can be resolved.
    resolved = (x[layout.NOISY_STREAK] >= RECOVERY_WINDOWS) & (bad_before > 0.0)
    compliance = np.rint(met_weight / TOTAL_WEIGHT * _TEN_THOUSANDTHS) / _TEN_THOUSANDTHS
    penalty = np.rint(down / SERVICE_COUNT * _TEN_THOUSANDTHS) / _TEN_THOUSANDTHS
    bonus = where(resolved, reward.RESOLUTION_BONUS, 0.0)
    total = compliance - x[layout.STEP_COST] / reward.COST_SCALE - penalty + bonus
    x[layout.HINT] = np.rint(total * _TEN_THOUSANDTHS) / _TEN_THOUSANDTHS
