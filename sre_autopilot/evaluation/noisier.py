"""A policy that observes more noise than the world's telemetry has."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np

from orchestrator import noise
from sre_autopilot.models import ServiceMetrics, SREAction, SREObservation
from sre_autopilot.policies import Policy
from sre_autopilot.policies.policy import Briefing
from sre_autopilot.world.draws import Stream


class Noisier:
    """Plays as `policy`, from metrics with `factor` times the noise.

    Deviations and the share of lost values are `factor` times those of `orchestrator.noise`: what
    is added to a deviation s is independent and has the deviation s * sqrt(factor**2 - 1). Values
    were clipped before, so that error rates near 0 are noisier by a little less. Verdicts and spans
    stay as they are. seed: of the draws, and of the policy's own.
    """

    def __init__(self, policy: Policy, factor: float, seed: int) -> None:
        self.name, self.privileged = policy.name, policy.privileged
        self.needs_traces = policy.needs_traces
        self._policy, self._factor, self._seed = policy, factor, seed
        self._rng = np.random.default_rng((Stream.POLICY, seed))

    def begin(self, briefing: Briefing) -> None:
        self._rng = np.random.default_rng((Stream.POLICY, self._seed))
        self._policy.begin(replace(briefing, draw_seed=self._seed))

    def act(self, observation: SREObservation) -> SREAction:
        metrics = {service: self._noisy(each) for service, each in observation.metrics.items()}
        return self._policy.act(observation.model_copy(update={"metrics": metrics}))

    def _noisy(self, metrics: ServiceMetrics) -> ServiceMetrics:
        z = self._rng.normal(size=noise.METRICS_PER_SERVICE) * np.sqrt(self._factor**2 - 1.0)
        latency_ms = metrics.latency_p99 or 0.0
        values = (
            _moved(metrics.latency_p99, z[0] * noise.LATENCY_NOISE_RATIO * latency_ms, np.inf, 1),
            _moved(metrics.error_rate, z[1] * noise.ERROR_RATE_NOISE, 1.0, 4),
            _moved(metrics.cpu_pct, z[2] * noise.PERCENT_NOISE, 100.0, 1),
            _moved(metrics.memory_pct, z[3] * noise.PERCENT_NOISE, 100.0, 1),
        )
        more_lost = (self._factor - 1.0) * noise.METRIC_LOSS_RATIO / (1.0 - noise.METRIC_LOSS_RATIO)
        lost = self._rng.random(len(values)) < more_lost
        kept = (None if gone else value for value, gone in zip(values, lost, strict=True))
        fields = zip(("latency_p99", "error_rate", "cpu_pct", "memory_pct"), kept, strict=True)
        return ServiceMetrics(**dict(fields))


def _moved(value: float | None, by: Any, highest: float, digits: int) -> float | None:
    """Clipped to 0..highest and rounded, as `orchestrator.noise` does."""
    return None if value is None else round(min(highest, max(0.0, value + float(by))), digits)


def noisier(new_policy: Callable[[], Policy], factor: float) -> Callable[[], Policy]:
    """Makes policies as `new_policy`, numbered in turn, and by their numbers seeded."""
    numbers = count()
    return lambda: Noisier(new_policy(), factor, next(numbers))
