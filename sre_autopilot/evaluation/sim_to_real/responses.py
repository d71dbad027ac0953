"""Responses to actions: the mean series of the services that they were taken on.

Pure: recordings in, numbers out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sre_autopilot.evaluation.sim_to_real.windows import Floats, Metric, mean_present, series
from sre_autopilot.simulator.calibration.recordings import Recording
from sre_autopilot.simulator.mesh import SERVICE_INDEX
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ACTION_COSTS, ActionName

STEPS_BEFORE, STEPS_AFTER = 2, 6
OFFSETS = range(-STEPS_BEFORE, STEPS_AFTER + 1)
"""Steps around an action; 0 is the window right after it."""
RESPONDING = (Metric.ERROR_RATE, Metric.LATENCY_P99)
"""The metrics that responses are compared in."""


@dataclass(frozen=True, slots=True)
class Response:
    """The services that an action was taken on, around it.

    times: how often it was accepted.
    means: the mean over those times at each of OFFSETS, nan where no episode reaches.
    """

    times: int
    means: Mapping[Metric, Floats]


def responses(recordings: Sequence[Recording]) -> dict[ActionName, Response]:
    """By action, those that cost anything and were accepted in any episode."""
    rows_of: dict[ActionName, dict[Metric, list[Floats]]] = {}
    for recording in recordings:
        of_metric = {metric: series(recording, metric) for metric in RESPONDING}
        for action, service, step in _accepted(recording):
            rows = rows_of.setdefault(action, {metric: [] for metric in RESPONDING})
            for metric, values in of_metric.items():
                rows[metric].append(_around(values[:, SERVICE_INDEX[service]], step))
    return {
        action: Response(
            times=len(by_metric[RESPONDING[0]]),
            means={metric: _means(np.array(rows)) for metric, rows in by_metric.items()},
        )
        for action, by_metric in sorted(
            rows_of.items(), key=lambda item: list(ActionName).index(item[0])
        )
    }


def _accepted(recording: Recording) -> Iterator[tuple[ActionName, Service, int]]:
    for step, (action, service, accepted) in enumerate(recording.actions, start=1):
        if accepted and service is not None and ACTION_COSTS[action]:
            yield action, service, step


def _around(values: Floats, step: int) -> Floats:
    """The values at OFFSETS from a step; nan before the first and after the last."""
    steps = step + np.array(OFFSETS)
    inside = (steps >= 0) & (steps < len(values))
    return np.where(inside, values[np.clip(steps, 0, len(values) - 1)], np.nan)


def _means(rows: Floats) -> Floats:
    return np.array([mean_present(column) for column in rows.T])
