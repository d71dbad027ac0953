"""How far apart the windows of the same episodes are in two worlds, fault by fault.

Distances of their distributions, and autocorrelations of their series. Pure: recordings in,
numbers out. Plays, writes and draws nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import Any

import numpy as np

from chaos.faults.flapping_network import FlappingNetwork
from chaos.tiers import draw_faults
from sre_autopilot.evaluation import stats
from sre_autopilot.simulator.calibration.evidence import CALL_COUNT, FAILED_COUNT
from sre_autopilot.simulator.calibration.recordings import COLUMNS, Key, Recording
from sre_autopilot.world.vocabulary import FaultKind, FlapCause

HIGHEST_RATIO = 2.0
"""A cell fails where the worlds are further apart than this many times the real one from itself."""
LEAST_DISTANCE = 0.01
"""A distance below it (a hundredth of the windows, or of the spread) counts as this."""
HIGHEST_AUTOCORRELATION_GAP = 0.2

Cause = FaultKind | FlapCause
"""The fault of an episode; a flap is split by its cause."""
CAUSES: tuple[Cause, ...] = (
    *(kind for kind in FaultKind if kind is not FaultKind.FLAPPING_NETWORK),
    *FlapCause,
)
Floats = np.ndarray[Any, np.dtype[np.float64]]


class Metric(StrEnum):
    """What is compared; an error rate is 0..1, the others are in their columns' units."""

    LATENCY_P99 = "latency_p99"
    ERROR_RATE = "error_rate"
    CPU_PCT = "cpu_pct"
    MEMORY_PCT = "memory_pct"


@dataclass(frozen=True, slots=True)
class Distance:
    """Windows of one metric under one cause: sim from real, and real from real (the floor).

    windows: how many of the real world were pooled, services counted one by one.
    missing_real, missing_sim: shares of windows without a value.
    Floors are nan where the real episodes cannot be halved.
    """

    metric: Metric
    cause: Cause
    windows: int
    ks: float
    ks_floor: float
    wasserstein: float
    wasserstein_floor: float
    missing_real: float
    missing_sim: float

    @property
    def ks_ratio(self) -> float:
        return _ratio(self.ks, self.ks_floor)

    @property
    def wasserstein_ratio(self) -> float:
        return _ratio(self.wasserstein, self.wasserstein_floor)

    @property
    def conclusive(self) -> bool:
        """Whether there is a floor to compare with."""
        return not np.isnan([self.ks_ratio, self.wasserstein_ratio]).any()

    @property
    def fails(self) -> bool:
        """Whether either ratio is too high; one without a floor is not."""
        return self.ks_ratio > HIGHEST_RATIO or self.wasserstein_ratio > HIGHEST_RATIO


@dataclass(frozen=True, slots=True)
class Autocorrelation:
    """At lag 1, the mean over services and episodes whose series vary; nan where none does."""

    metric: Metric
    cause: Cause
    real: float
    sim: float

    @property
    def fails(self) -> bool:
        return abs(self.sim - self.real) > HIGHEST_AUTOCORRELATION_GAP


def cause_of(recording: Recording) -> Cause | None:
    """The cause of the episode's fault; None where it has two faults."""
    faults = draw_faults(recording.tier, recording.seed)
    if len(faults) != 1:
        return None
    (fault,) = faults
    return fault.cause if isinstance(fault, FlappingNetwork) else FaultKind(fault.kind)


def by_cause(recordings: Iterable[Recording]) -> dict[Cause, list[Recording]]:
    """Recordings of each cause; those with two faults are in none."""
    grouped: dict[Cause, list[Recording]] = {cause: [] for cause in CAUSES}
    for recording in recordings:
        cause = cause_of(recording)
        if cause is not None:
            grouped[cause].append(recording)
    return grouped


def series(recording: Recording, metric: Metric) -> Floats:
    """(steps from 0, services): the metric, nan where there was none."""
    true = recording.true.astype(np.float64)
    if metric is not Metric.ERROR_RATE:
        return true[:, :, COLUMNS.index(metric)]
    calls, failed = true[:, :, CALL_COUNT], true[:, :, FAILED_COUNT]
    return np.divide(failed, calls, out=np.full_like(calls, np.nan), where=calls > 0)


def pooled(recordings: Iterable[Recording], metric: Metric) -> Floats:
    """The metric in every window but those of reset, all services in a row; nan where none."""
    values = [series(recording, metric)[1:].ravel() for recording in recordings]
    return np.concatenate(values) if values else np.empty(0)


def present(values: Floats) -> Floats:
    """The values without nan."""
    return values[~np.isnan(values)]


def halves(recordings: Sequence[Recording]) -> tuple[list[Recording], list[Recording]]:
    """Splits one world in two: keys that were played more than once by their runs, in turn; where
    there are none, every other seed.
    """
    runs: dict[Key, list[Recording]] = defaultdict(list)
    for recording in recordings:
        runs[recording.key].append(recording)
    repeated = [of_key for of_key in runs.values() if len(of_key) > 1]
    if repeated:
        first, second = (
            [recording for of_key in repeated for recording in of_key[start::2]]
            for start in range(2)
        )
        return first, second
    odd = set(sorted({recording.seed for recording in recordings})[1::2])
    return [r for r in recordings if r.seed not in odd], [r for r in recordings if r.seed in odd]


def distances_of(real: Sequence[Recording], sim: Sequence[Recording]) -> list[Distance]:
    """A distance for each metric and cause that both worlds show."""
    recorded, simulated = by_cause(real), by_cause(sim)
    return [
        _distance(metric, cause, recorded[cause], simulated[cause])
        for metric, cause in product(Metric, CAUSES)
        if recorded[cause] and simulated[cause]
    ]


def _distance(
    metric: Metric, cause: Cause, real: Sequence[Recording], sim: Sequence[Recording]
) -> Distance:
    recorded, simulated = pooled(real, metric), pooled(sim, metric)
    real_values, sim_values = present(recorded), present(simulated)
    first, second = (present(pooled(half, metric)) for half in halves(real))
    ks, wasserstein = _apart(sim_values, real_values, real_values)
    ks_floor, wasserstein_floor = _apart(first, second, real_values)
    return Distance(
        metric=metric,
        cause=cause,
        windows=len(recorded),
        ks=ks,
        ks_floor=ks_floor,
        wasserstein=wasserstein,
        wasserstein_floor=wasserstein_floor,
        missing_real=float(np.isnan(recorded).mean()),
        missing_sim=float(np.isnan(simulated).mean()),
    )


def _apart(a: Floats, b: Floats, reference: Floats) -> tuple[float, float]:
    """Kolmogorov-Smirnov and Wasserstein distance; nan where a sample is empty."""
    if not (a.size and b.size):
        return float("nan"), float("nan")
    ks = stats.kolmogorov_smirnov(a, b)
    return ks, stats.wasserstein(a, b, reference=reference)


def _ratio(distance: float, floor: float) -> float:
    """Of the two, neither counted as less than LEAST_DISTANCE."""
    return float(np.maximum(distance, LEAST_DISTANCE) / np.maximum(floor, LEAST_DISTANCE))


def autocorrelations(real: Sequence[Recording], sim: Sequence[Recording]) -> list[Autocorrelation]:
    """One for each metric and cause that both worlds show."""
    recorded, simulated = by_cause(real), by_cause(sim)
    return [
        Autocorrelation(
            metric, cause, *(_mean_autocorrelation(w[cause], metric) for w in (recorded, simulated))
        )
        for metric, cause in product(Metric, CAUSES)
        if recorded[cause] and simulated[cause]
    ]


def _mean_autocorrelation(recordings: Iterable[Recording], metric: Metric) -> float:
    values = [
        stats.autocorrelation(of_service)
        for recording in recordings
        for of_service in series(recording, metric)[1:].T
    ]
    return mean_present(np.array(values, np.float64))


def mean_present(values: Floats) -> float:
    """Mean of the values without nan; nan where there are none."""
    kept = present(values)
    return float(kept.mean()) if kept.size else float("nan")
