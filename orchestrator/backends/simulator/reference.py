"""NumPy's reading of the simulator: many lanes side by side, and what the kernel is held against."""

from collections.abc import Callable
from typing import Any

import numpy as np

from orchestrator.backends.simulator import lane as at
from orchestrator.backends.simulator.scene import (
    EDGES,
    REPLICAS,
    SERVICES,
    Condition,
    Measured,
    Parameters,
    Scene,
    Work,
)
from orchestrator.backends.simulator.transition import initial, observe, transition

Allocate = Callable[[int], Any]


def scene_of(parameters: Parameters, rows: Allocate) -> Scene:
    """A scene whose arrays `rows` makes: `rows(n)` holds n numbers a lane."""
    by_replica = {name: rows(REPLICAS) for name in Condition._fields[:-2]}
    life = rows(REPLICAS).astype(np.uint64)
    condition = Condition(**by_replica, life=life, breaker_open=rows(SERVICES))
    work = Work(**{name: rows(EDGES) for name in Work._fields})
    by_service = {name: rows(SERVICES) for name in Measured._fields if name != "killed"}
    measured = Measured(**by_service, killed=rows(REPLICAS))
    return Scene(parameters, condition, work, measured, rows(EDGES))


class Reference:
    """`lanes` episodes at once, (KEYS, lanes) and (FIELDS, lanes)."""

    def __init__(self, parameters: Parameters, lanes: int) -> None:
        self.lane = at.Lane(np.zeros((at.KEYS, lanes), np.uint64), np.zeros((at.FIELDS, lanes)))
        self._scene = scene_of(parameters, lambda count: np.zeros((count, lanes)))

    def reset(self, seeds: Any, stories: Any) -> None:
        """Seeds (lanes,) and stories (lanes, fields): fresh episodes, and their windows of step 0."""
        initial(self.lane, np.asarray(seeds, np.uint64), np.asarray(stories).T)
        observe(self.lane, self._scene)

    def step(self, actions: Any, services: Any) -> None:
        """Actions and services (lanes,), by number: one step in every lane."""
        as_numbers = (np.asarray(given, np.float64) for given in (actions, services))
        transition(self.lane, *as_numbers, self._scene)
