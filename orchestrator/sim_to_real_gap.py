"""What two worlds make of the same episodes, compared: windows, their order, actions, scores.

Pure: recordings in, numbers out. Plays, writes and draws nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import Any

import numpy as np

from chaos.faults.flapping_network import FlappingNetwork
from chaos.tiers import draw_faults
from orchestrator import distances
from orchestrator.distances import Gap
from orchestrator.recordings import COLUMNS, Key, Recording
from orchestrator.scores import interval
from services.mesh.topology import Service
from services.mesh.vocabulary import ACTION_COSTS, ActionName, FaultKind, FlapCause

HIGHEST_RATIO = 2.0
"""A cell fails where the worlds are further apart than so many times the real world from itself."""
LEAST_DISTANCE = 0.01
"""Distances below it (a hundredth of the windows, or of the spread) count as this: no gap at all."""
HIGHEST_AUTOCORRELATION_GAP = 0.2
HIGHEST_SCORE_GAP = 0.05
STEPS_BEFORE, STEPS_AFTER = 2, 6
OFFSETS = range(-STEPS_BEFORE, STEPS_AFTER + 1)
"""Steps seen around an action; 0 is the window right after it."""
CALLS, FAILED, *_ = range(len(COLUMNS))

Cause = FaultKind | FlapCause
"""What is wrong in an episode; a flap is told by its cause."""
CAUSES: tuple[Cause, ...] = (
    *(kind for kind in FaultKind if kind is not FaultKind.FLAPPING_NETWORK),
    *FlapCause,
)
Floats = np.ndarray[Any, np.dtype[np.float64]]
Scores = Mapping[Key, float]


class Metric(StrEnum):
    LATENCY_P99 = "latency_p99"
    ERROR_RATE = "error_rate"
    CPU_PCT = "cpu_pct"
    MEMORY_PCT = "memory_pct"


@dataclass(frozen=True, slots=True)
class Distance:
    """Windows of one metric under one fault: sim from real, and real from real beside it.

    Floors are nan where the real episodes cannot be halved; missing is the share of windows
    without a value.
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
    def fails(self) -> bool:
        return max(self.ks_ratio, self.wasserstein_ratio) > HIGHEST_RATIO


@dataclass(frozen=True, slots=True)
class Memory:
    """Mean autocorrelation at lag 1 over services and episodes, of series that vary."""

    metric: Metric
    cause: Cause
    real: float
    sim: float

    @property
    def fails(self) -> bool:
        return abs(self.sim - self.real) > HIGHEST_AUTOCORRELATION_GAP


@dataclass(frozen=True, slots=True)
class Response:
    """What became of the services that an action was taken on: means over OFFSETS."""

    action: ActionName
    times: int
    means: Mapping[Metric, Floats]


@dataclass(frozen=True, slots=True)
class PolicyGap:
    """One policy in both worlds, over the keys that both have."""

    policy: str
    episodes: int
    real: Gap
    sim: Gap
    gap: Gap

    @property
    def fails(self) -> bool:
        surely = self.gap.low > 0.0 or self.gap.high < 0.0
        return surely and abs(self.gap.mean) > HIGHEST_SCORE_GAP


@dataclass(frozen=True, slots=True)
class Agreement:
    """How alike both worlds rank: over the means of policies, or of policies on a tier."""

    ranked: int
    pearson: float
    spearman: float
    mmrv: float


def cause_of(recording: Recording) -> Cause | None:
    """What was wrong; None where two faults were."""
    faults = draw_faults(recording.tier, recording.seed)
    if len(faults) != 1:
        return None
    (fault,) = faults
    return fault.cause if isinstance(fault, FlappingNetwork) else FaultKind(fault.kind)


def series(recording: Recording, metric: Metric) -> Floats:
    """(steps from 0, services): the metric, nan where there was none; error rates are 0..1."""
    true = recording.true.astype(np.float64)
    if metric is Metric.ERROR_RATE:
        calls = true[:, :, CALLS]
        return np.divide(true[:, :, FAILED], calls, out=np.full_like(calls, np.nan), where=calls > 0)
    return true[:, :, COLUMNS.index(metric)]


def pooled(recordings: Iterable[Recording], metric: Metric) -> Floats:
    """The metric in all windows but those of reset, of all services, flat; nan where none."""
    found = [series(recording, metric)[1:].ravel() for recording in recordings]
    return np.concatenate(found) if found else np.empty(0)


def by_cause(recordings: Iterable[Recording]) -> dict[Cause, list[Recording]]:
    """Recordings of each cause; those with two faults are in none."""
    found: dict[Cause, list[Recording]] = {cause: [] for cause in CAUSES}
    for recording in recordings:
        cause = cause_of(recording)
        if cause is not None:
            found[cause].append(recording)
    return found


def halves(recordings: Sequence[Recording]) -> tuple[list[Recording], list[Recording]]:
    """Two halves of the same world: runs of the same key in turn, of keys that were played more
    than once; where there are none, every other seed.
    """
    runs: dict[Key, list[Recording]] = defaultdict(list)
    for recording in recordings:
        runs[recording.key].append(recording)
    again = [repeated for repeated in runs.values() if len(repeated) > 1]
    if again:
        return [r for run in again for r in run[0::2]], [r for run in again for r in run[1::2]]
    seeds = sorted({recording.seed for recording in recordings})
    odd = set(seeds[1::2])
    return [r for r in recordings if r.seed not in odd], [r for r in recordings if r.seed in odd]


def measure_distances(real: Sequence[Recording], sim: Sequence[Recording]) -> list[Distance]:
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
    here, there = _known(recorded), _known(simulated)
    half, other = (_known(pooled(part, metric)) for part in halves(real))
    return Distance(
        metric=metric,
        cause=cause,
        windows=len(recorded),
        ks=_apart(here, there)[0],
        ks_floor=_apart(half, other)[0],
        wasserstein=_apart(here, there, here)[1],
        wasserstein_floor=_apart(half, other, here)[1],
        missing_real=1.0 - len(here) / len(recorded),
        missing_sim=1.0 - len(there) / len(simulated),
    )
