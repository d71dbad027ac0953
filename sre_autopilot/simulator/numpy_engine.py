"""Runs the rules by NumPy, over all lanes at once. Slower than Numba, and easy to follow."""

from functools import partial
from typing import Any

import numpy as np

from sre_autopilot.simulator.batch import EpisodeQueue, StepOutput
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.simulator.rules.actions import apply_action
from sre_autopilot.simulator.rules.array_ops import Rows
from sre_autopilot.simulator.rules.faults import clear_faults
from sre_autopilot.simulator.rules.features import (
    FEATURE_COUNT,
    MASK_SIZE,
    reward,
    write_features,
)
from sre_autopilot.simulator.rules.step import initial, observe
from sre_autopilot.simulator.rules.window_arrays import Parameters, make_window_arrays


class NumpyEngine:
    """`lanes` episodes at once: see `batch.Engine`. A lane is a column of every array."""

    def __init__(self, parameters: Parameters, lanes: int) -> None:
        rows = partial(Rows.zeros, lanes=lanes)
        keys, x = rows(layout.KEY_COUNT, np.uint64), rows(layout.FIELD_COUNT, np.float64)
        self._lane = layout.Lane(keys, x)
        self._arrays = make_window_arrays(parameters, rows)
        clear_faults(self._arrays.condition)

    @property
    def x(self) -> Any:
        return self._lane.x.array.T

    @property
    def keys(self) -> Any:
        return self._lane.keys.array.T

    def step(self, actions: Any, queue: EpisodeQueue) -> StepOutput:
        queue.prepare()
        lane, lanes = self._lane, len(actions)
        begins = (actions[:, 0] < 0) | (lane.x[layout.DONE] > 0.0)
        action, service = actions.T.astype(np.float64)
        apply_action(lane, np.maximum(0.0, action), service)
        if begins.any():
            self._begin(np.flatnonzero(begins), queue)
        observe(lane, self._arrays)
        features = np.empty((FEATURE_COUNT, lanes), np.float32)
        masks = np.empty((MASK_SIZE, lanes), np.int8)
        write_features(lane, Rows(features), Rows(masks))
        rows, masks = np.ascontiguousarray(features.T), np.ascontiguousarray(masks.T)
        return StepOutput(rows, masks, reward(lane.x), lane.x[layout.DONE] > 0.0)

    def _begin(self, lanes: Any, queue: EpisodeQueue) -> None:
        """The next episode of these lanes; the action just applied is overwritten."""
        column = queue.begun[lanes] % queue.seeds.shape[1]
        queue.begun[lanes] += 1
        fresh = layout.Lane(*(Rows(rows.array[:, lanes]) for rows in self._lane))
        initial(fresh, queue.seeds[lanes, column], Rows(queue.faults[lanes, column].T))
        for rows, begun in zip(self._lane, fresh, strict=True):
            rows.array[:, lanes] = begun.array
