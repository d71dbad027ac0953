"""Numba's reading of the simulator: one lane after the other, compiled once and kept on disk.

The compiled code is kept in the user's cache folder (XDG_CACHE_HOME), under a name that changes
with the text of any law, so that no stale code is ever run.
"""

import hashlib
import os
from functools import partial
from pathlib import Path
from typing import Any

import numba
import numpy as np

from orchestrator.backends.simulator import lane as at
from orchestrator.backends.simulator.compiled import compile_laws
from orchestrator.backends.simulator.lanes import Seat, Shown
from orchestrator.backends.simulator.presented import ACTIONS, PRESENTED, present
from orchestrator.backends.simulator.scene import SERVICES, Parameters, Scene, scene_of
from orchestrator.backends.simulator.transition import initial, observe, transition

compile_laws()


def _advance(lanes: at.Lane, moves: Any, of: tuple[Seat, Scene], shown: Shown) -> None:
    """A step in all lanes, (lanes, KEYS) and (lanes, FIELDS); see `lanes` for moves and seats.

    of: the seats, and a scene of records, one each.
    """
    seat, one = of
    scene = Scene(one.parameters[0], one.condition[0], one.work[0], one.measured[0], one.hanging)
    for number in range(len(lanes.x)):
        lane = at.Lane(lanes.keys[number], lanes.x[number])
        if moves[number, 0] < 0 or lane.x[at.DONE] > 0.0:
            row = seat.rows[number]
            seat.rows[number] = (row + len(lanes.x)) % len(seat.seeds)
            initial(lane, seat.seeds[row], seat.stories[row])
            observe(lane, scene)
        else:
            transition(lane, float(moves[number, 0]), float(moves[number, 1]), scene)
        present(lane, shown.rows[number], shown.masks[number])


def _compiled(function: Any) -> Any:
    """Compiled at its first call, or found on disk; not kept where no folder can be written."""
    laws = hashlib.sha256()
    sources = sorted([*Path(__file__).parents[3].glob("services/mesh/*.py"), *_OWN, *_SHARED])
    for path in sources:
        laws.update(path.read_bytes())
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = home / "sre-autopilot" / laws.hexdigest()[:16]
    # Nothing is allocated, so nothing needs to be counted: half the time.
    njit: Any = partial(numba.njit, nogil=True, error_model="numpy", _nrt=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return njit()(function)
    config: Any = numba.config
    was, config.CACHE_DIR = config.CACHE_DIR, str(folder)
    try:
        return njit(cache=True)(function)
    finally:
        config.CACHE_DIR = was


def _records(scene: Scene) -> Scene:
    """The same with one record for each group of arrays: Numba passes it on by its address."""
    p, c, w, measured = (_record(group) for group in scene[:-1])
    return Scene(p, c, w, measured, scene.hanging)


def _record(group: Any) -> Any:
    fields = {name: np.asarray(value) for name, value in group._asdict().items()}
    dtype = np.dtype([(name, value.dtype, value.shape) for name, value in fields.items()])
    record = np.zeros(1, dtype)
    for name, value in fields.items():
        record[name] = value
    return record


_OWN = tuple(Path(__file__).parent.glob("*.py"))
_SHARED = tuple(Path(__file__).parents[2] / name for name in ("noise.py", "reward.py"))
advance = _compiled(_advance)


class Kernel:
    """`lanes` episodes at once: see `lanes.Lanes`. One thread at a time."""

    def __init__(self, parameters: Parameters, lanes: int) -> None:
        self._lane = at.Lane(np.zeros((lanes, at.KEYS), np.uint64), np.zeros((lanes, at.FIELDS)))
        self.shown = Shown(
            np.zeros((lanes, PRESENTED), np.float32), np.zeros((lanes, ACTIONS * SERVICES), np.int8)
        )
        self._scene = _records(scene_of(parameters, np.zeros))

    @property
    def x(self) -> Any:
        return self._lane.x

    @property
    def keys(self) -> Any:
        return self._lane.keys

    def step(self, moves: Any, seat: Seat) -> None:
        advance(self._lane, moves, (seat, self._scene), self.shown)
