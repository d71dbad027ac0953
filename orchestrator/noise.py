"""What telemetry loses on its way: noise, loss, delay, keyed by the seed; the same everywhere."""

from dataclasses import dataclass

from sre_autopilot.world.draws import Stream, normal, uniform
from sre_autopilot.world.vocabulary import MAX_LAG_STEPS

LATENCY_NOISE_RATIO = 0.08
ERROR_RATE_NOISE = 0.005
PERCENT_NOISE = 2.0
METRIC_LOSS_RATIO = 0.05
SPAN_LOSS_RATIO = 0.10
LAG_STEPS_BELOW = ((0.5, 0), (0.8, 1), (1.0, MAX_LAG_STEPS))
"""Upper bound of a uniform draw -> steps by which a service's telemetry is late (50/30/20 %)."""
METRICS_PER_SERVICE = 4


def lag_steps(seed: int, service_index: int) -> int:
    """How late one service's telemetry is, the whole episode long."""
    draw = uniform(seed, Stream.LAG, 0, service_index)
    return next(lag for bound, lag in LAG_STEPS_BELOW if draw < bound)


@dataclass(frozen=True, slots=True)
class NoiseKey:
    """What the noise of one value depends on, so that equal seeds give equal noise everywhere."""

    seed: int
    step: int
    service_index: int


def metric_lost(key: NoiseKey, metric_index: int) -> bool:
    index = key.service_index * METRICS_PER_SERVICE + metric_index
    return uniform(key.seed, Stream.METRIC_LOSS, key.step, index) < METRIC_LOSS_RATIO


def span_lost(seed: int, step: int, call_index: int) -> bool:
    return uniform(seed, Stream.SPAN_LOSS, step, call_index) < SPAN_LOSS_RATIO


def noisy_latency_ms(value: float, key: NoiseKey) -> float:
    """Multiplied by N(1, 0.08), rounded to 0.1 ms, never negative."""
    return round(max(0.0, value * (1.0 + LATENCY_NOISE_RATIO * _z(Stream.LATENCY_NOISE, key))), 1)


def noisy_error_rate(value: float, key: NoiseKey) -> float:
    """Plus N(0, 0.005), clipped to 0..1, rounded to 0.0001."""
    return round(min(1.0, max(0.0, value + ERROR_RATE_NOISE * _z(Stream.ERROR_NOISE, key))), 4)


def noisy_cpu_pct(value: float, key: NoiseKey) -> float:
    """Plus N(0, 2 points), clipped to 0..100, rounded to 0.1."""
    return _noisy_percent(value, _z(Stream.CPU_NOISE, key))


def noisy_memory_pct(value: float, key: NoiseKey) -> float:
    """As `noisy_cpu_pct`."""
    return _noisy_percent(value, _z(Stream.MEMORY_NOISE, key))


def _noisy_percent(value: float, z: float) -> float:
    return round(min(100.0, max(0.0, value + PERCENT_NOISE * z)), 1)


def _z(stream: Stream, key: NoiseKey) -> float:
    return normal(key.seed, stream, key.step, key.service_index)
