"""NumPy's reading of the simulator: many lanes at once, and what the kernel is held against."""

from functools import partial
from typing import Any

import numpy as np

from sre_autopilot.simulator.batch import Seat, Shown
from sre_autopilot.simulator.rules import state_layout as at
from sre_autopilot.simulator.rules.actions import act
from sre_autopilot.simulator.rules.array_ops import Rows
from sre_autopilot.simulator.rules.faults import spare
from sre_autopilot.simulator.rules.features import MASKED, PRESENTED, present, reward
from sre_autopilot.simulator.rules.step import initial, observe
from sre_autopilot.simulator.rules.window_arrays import Parameters, scene_of


class Reference:
    """`lanes` episodes at once: see `lanes.Lanes`. A lane is a column."""

    def __init__(self, parameters: Parameters, lanes: int) -> None:
        rows = partial(Rows.of_zeros, lanes=lanes)
        self._lane = at.Lane(rows(at.KEYS, np.uint64), rows(at.FIELDS, np.float64))
        self._scene = scene_of(parameters, rows)
        spare(self._scene.condition)

    @property
    def x(self) -> Any:
        return self._lane.x.array.T

    @property
    def keys(self) -> Any:
        return self._lane.keys.array.T

    def step(self, moves: Any, seat: Seat) -> Shown:
        lane, lanes = self._lane, len(moves)
        begins = (moves[:, 0] < 0) | (lane.x[at.DONE] > 0.0)
        action, service = moves.T.astype(np.float64)
        act(lane, np.maximum(0.0, action), service)
        if begins.any():
            self._begin(np.flatnonzero(begins), seat)
        observe(lane, self._scene)
        rows, masks = np.empty((PRESENTED, lanes), np.float32), np.empty((MASKED, lanes), np.int8)
        present(lane, Rows(rows), Rows(masks))
        row, mask = (np.ascontiguousarray(array.T) for array in (rows, masks))
        return Shown(row, mask, reward(lane.x))

    def _begin(self, chosen: Any, seat: Seat) -> None:
        """The next episode of some lanes; what they did last is forgotten."""
        rows, lanes = seat.rows[chosen], len(seat.rows)
        seat.rows[chosen] = (rows + lanes) % len(seat.seeds)
        fresh = at.Lane(*(Rows(every.array[:, chosen]) for every in self._lane))
        initial(fresh, seat.seeds[rows], Rows(seat.stories[rows].T))
        for every, begun in zip(self._lane, fresh, strict=True):
            every.array[:, chosen] = begun.array
