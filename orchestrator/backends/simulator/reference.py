"""NumPy's reading of the simulator: many lanes at once, and what the kernel is held against."""

from typing import Any

import numpy as np

from orchestrator.backends.simulator import lane as at
from orchestrator.backends.simulator.lanes import Seat, Shown
from orchestrator.backends.simulator.presented import ACTIONS, PRESENTED, present, reward
from orchestrator.backends.simulator.scene import SERVICES, Parameters, Scene, scene_of
from orchestrator.backends.simulator.transition import initial, observe, transition


class Reference:
    """`lanes` episodes at once: see `lanes.Lanes`. Its arrays hold a lane in a column."""

    def __init__(self, parameters: Parameters, lanes: int) -> None:
        self._parameters = parameters
        self._lane = at.Lane(np.zeros((at.KEYS, lanes), np.uint64), np.zeros((at.FIELDS, lanes)))

    @property
    def x(self) -> Any:
        return self._lane.x.T

    @property
    def keys(self) -> Any:
        return self._lane.keys.T

    def step(self, moves: Any, seat: Seat) -> Shown:
        begins = (moves[:, 0] < 0) | (self._lane.x[at.DONE] > 0.0)
        for chosen in (begins, ~begins):
            if chosen.any():
                self._step(np.flatnonzero(chosen), moves, seat, fresh=chosen is begins)
        lanes = len(moves)
        rows = np.empty((lanes, PRESENTED), np.float32)
        masks = np.empty((lanes, ACTIONS * SERVICES), np.int8)
        present(self._lane, rows.T, masks.T)
        return Shown(rows, masks, reward(self._lane.x))

    def _step(self, chosen: Any, moves: Any, seat: Seat, *, fresh: bool) -> None:
        lane = at.Lane(self._lane.keys[:, chosen], self._lane.x[:, chosen])
        scene = self._scene(len(chosen))
        if fresh:
            rows = seat.rows[chosen]
            seat.rows[chosen] = (rows + self._lane.x.shape[1]) % len(seat.seeds)
            initial(lane, seat.seeds[rows], seat.stories[rows].T)
            observe(lane, scene)
        else:
            action, service = moves[chosen].T.astype(np.float64)
            transition(lane, action, service, scene)
        self._lane.keys[:, chosen], self._lane.x[:, chosen] = lane

    def _scene(self, lanes: int) -> Scene:
        return scene_of(self._parameters, lambda count: np.zeros((count, lanes)))
