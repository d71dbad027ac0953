"""Runs the rules by NumPy, over all lanes at once. Slower than Numba, and easy to follow."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from sre_autopilot.history.row_layout import ACTION_COUNT, FEATURE_COUNT, MASK_SIZE
from sre_autopilot.simulator.batch import EpisodeQueue, StepOutput, out_of_range
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.simulator.rules.actions import apply_action
from sre_autopilot.simulator.rules.array_ops import Rows
from sre_autopilot.simulator.rules.calls import CALL_ROWS, write_calls
from sre_autopilot.simulator.rules.fault_draws import draw_faults, draw_tier
from sre_autopilot.simulator.rules.faults import clear_faults
from sre_autopilot.simulator.rules.features import reward, write_features
from sre_autopilot.simulator.rules.step import initial, observe
from sre_autopilot.simulator.rules.window_arrays import (
    SERVICE_COUNT,
    Parameters,
    make_window_arrays,
)

_ACTION_RANGE = np.array([ACTION_COUNT, SERVICE_COUNT], np.uint64)


class NumpyEngine:
    """`lanes` episodes at once: see `batch.Engine`. A lane is a column of every array.

    keeps_calls: whether it writes `calls`.
    """

    def __init__(self, parameters: Parameters, lanes: int, *, keeps_calls: bool = False) -> None:
        rows = partial(Rows.zeros, lanes=lanes)
        keys, x = rows(layout.KEY_COUNT, np.uint64), rows(layout.FIELD_COUNT, np.float64)
        self._lane = layout.Lane(keys, x)
        self._arrays = make_window_arrays(parameters, rows)
        clear_faults(self._arrays.condition)
        self._calls = rows(CALL_ROWS if keeps_calls else 0)

    @property
    def x(self) -> Any:
        return self._lane.x.array.T

    @property
    def keys(self) -> Any:
        return self._lane.keys.array.T

    @property
    def calls(self) -> Any:
        return self._calls.array.T

    def state(self, fields: Sequence[int]) -> Any:
        return self._lane.x.array[fields].T

    def load(self, keys: Any, x: Any) -> None:
        self._lane.keys.array[:], self._lane.x.array[:] = keys.T, x.T

    def begin(self, queue: EpisodeQueue, lanes: Any = None) -> StepOutput:
        if lanes is None:
            self._begin(np.arange(self._lane.x.array.shape[1]), queue)
            return self._observe()
        kept = self._lane.x.array.copy()
        self._begin(lanes, queue)
        output = self._observe()
        kept[:, lanes] = self._lane.x.array[:, lanes]
        self._lane.x.array[:] = kept
        return StepOutput(*(rows[lanes] for rows in output))

    def step(self, actions: Any, queue: EpisodeQueue) -> StepOutput:
        # As unsigned numbers, those below 0 are the largest.
        if (actions.view(np.uint64) >= _ACTION_RANGE).any():
            raise out_of_range(actions)
        lane = self._lane
        begins = np.flatnonzero(lane.x[layout.DONE] > 0.0)
        action, service = actions.T.astype(np.float64)
        apply_action(lane, action, service)
        if len(begins):
            self._begin(begins, queue)
        return self._observe()

    def _begin(self, lanes: Any, queue: EpisodeQueue) -> None:
        """The next episode of these lanes; the action just applied is overwritten."""
        zeros = partial(Rows.zeros, lanes=len(lanes))
        fresh = layout.Lane(
            zeros(layout.KEY_COUNT, np.uint64), zeros(layout.FIELD_COUNT, np.float64)
        )
        seeds, faults = queue.begin(lanes), zeros(layout.MAX_FAULTS * layout.FAULT_WIDTH)
        tiers = draw_tier(seeds, queue.tier_bounds)
        draw_faults(tiers, seeds, np.ones(len(lanes), np.bool_), faults)
        initial(fresh, seeds, faults)
        for rows, begun in zip(self._lane, fresh, strict=True):
            rows.array[:, lanes] = begun.array

    def _observe(self) -> StepOutput:
        lane, lanes = self._lane, self._lane.x.array.shape[1]
        observe(lane, self._arrays)
        if len(self._calls):
            write_calls(self._arrays, self._calls)
        features = np.empty((FEATURE_COUNT, lanes), np.float32)
        masks = np.empty((MASK_SIZE, lanes), np.int8)
        write_features(lane, Rows(features), Rows(masks))
        rows, masks = np.ascontiguousarray(features.T), np.ascontiguousarray(masks.T)
        return StepOutput(rows, masks, reward(lane.x), lane.x[layout.DONE] > 0.0)
