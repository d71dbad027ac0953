"""Numba's reading of the simulator: WIDTH lanes at a time, compiled once and kept on disk.

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

from sre_autopilot.simulator.batch import Seat, Shown
from sre_autopilot.simulator.numba_engine.memory import bank, banks_of, flags_spread_of, spread_of
from sre_autopilot.simulator.numba_engine.overloads import compile_laws
from sre_autopilot.simulator.numba_engine.vector_type import WIDTH
from sre_autopilot.simulator.rules import state_layout as at
from sre_autopilot.simulator.rules.actions import act
from sre_autopilot.simulator.rules.array_ops import where
from sre_autopilot.simulator.rules.faults import spare
from sre_autopilot.simulator.rules.features import ACTIONS, MASKED, PRESENTED, present, reward
from sre_autopilot.simulator.rules.step import initial, observe
from sre_autopilot.simulator.rules.window_arrays import SERVICES, Parameters, scene_of

ACTION, SERVICE, BEGINS, STORY = range(4)
ROW = STORY + at.FAULTS * at.FAULT_FIELDS
MASK = ROW + PRESENTED
DESK = MASK + MASKED
"""Rows of the desk: what each lane of the block at hand is told, and what is shown of it."""
_SHAPE = scene_of(None, np.zeros)  # type: ignore[arg-type]
_SCENE_ROWS = sum(len(array) for group in _SHAPE[1:] for array in group)
_scene_in = banks_of(_SHAPE)
_spread_rows, _spread_masks = spread_of(PRESENTED), flags_spread_of(ACTIONS, SERVICES)


def _advance(lanes: Any, moves: Any, of: tuple[Any, Any, Any], shown: Any) -> None:
    """A step in all lanes; see `lanes` for moves.

    lanes: their keys and numbers, (blocks, KEYS, WIDTH) and (blocks, FIELDS, WIDTH).
    of: arrays of a Seat; a record of parameters; what is needed for one block: keys and numbers of
        lanes that begin, the desk, and the arrays of the scene.
    shown: arrays of a Shown, of whole blocks.
    """
    (all_keys, all_x), (all_rows, all_masks, rewards) = lanes, shown
    (seeds, stories, rows), parameters, (fresh_keys, fresh_x, desk, scratch) = of
    scene = _scene_in(parameters[0], scratch)
    fresh = at.Lane(bank(fresh_keys, 0), bank(fresh_x, 0))
    told = bank(desk, 0)
    spare(scene.condition)
    for block in range(len(all_x)):
        lane = at.Lane(bank(all_keys[block], 0), bank(all_x[block], 0))
        first = block * WIDTH
        here = min(WIDTH, len(moves) - first)
        begins = False
        for i in range(here):
            n = first + i
            desk[ACTION, i] = max(0, moves[n, 0])
            desk[SERVICE, i] = moves[n, 1]
            desk[BEGINS, i] = 0.0
            if moves[n, 0] < 0 or all_x[block, at.DONE, i] > 0.0:
                begins = True
                desk[BEGINS, i] = 1.0
                row = rows[n]
                rows[n] = (row + len(moves)) % len(seeds)
                fresh_keys[at.SEED, i] = seeds[row]
                for field in range(at.FAULTS * at.FAULT_FIELDS):
                    desk[STORY + field, i] = stories[row, field]
        act(lane, told[ACTION], told[SERVICE])
        if begins:
            initial(fresh, fresh.keys[at.SEED], bank(desk, STORY * WIDTH))
            now = told[BEGINS] > 0.0
            for field in range(at.KEYS):
                lane.keys[field] = where(now, fresh.keys[field], lane.keys[field])
            for field in range(at.FIELDS):
                lane.x[field] = where(now, fresh.x[field], lane.x[field])
        observe(lane, scene)
        present(lane, bank(desk, ROW * WIDTH), bank(desk, MASK * WIDTH))
        _spread_rows(bank(desk, ROW * WIDTH), all_rows, first)
        _spread_masks(bank(desk, MASK * WIDTH), all_masks, first)
        bank(rewards, first)[0] = reward(lane.x)


def _compiled(function: Any) -> Any:
    """Compiled at its first call, or found on disk; not kept where no folder can be written."""
    laws = hashlib.sha256()
    for path in sorted(_SOURCES):
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


def _record(group: Any) -> Any:
    """One record of all fields: Numba passes it on by its address."""
    fields = {name: np.asarray(value) for name, value in group._asdict().items()}
    dtype = np.dtype([(name, value.dtype, value.shape) for name, value in fields.items()])
    record = np.zeros(1, dtype)
    for name, value in fields.items():
        record[name] = value
    return record


def _rows(*shape: int, dtype: Any = np.float64) -> Any:
    """Zeros, (*shape, WIDTH), each row where a register may take it at once."""
    count = int(np.prod(shape)) * WIDTH
    room = np.zeros(count + WIDTH, dtype)
    skipped = -(room.ctypes.data // room.itemsize) % WIDTH
    return room[skipped : skipped + count].reshape(*shape, WIDTH)


compile_laws()
_ROOT = Path(__file__).parents[3]
_SOURCES = (
    *Path(__file__).parent.glob("*.py"),
    *_ROOT.glob("sre_autopilot/simulator/*.py"),
    *_ROOT.glob("sre_autopilot/simulator/rules/*.py"),
    *_ROOT.glob("sre_autopilot/world/*.py"),
    *(
        _ROOT / name
        for name in ("sre_autopilot/grading.py", "orchestrator/noise.py", "orchestrator/reward.py")
    ),
)
"""Whose text the compiled code depends on."""
advance = _compiled(_advance)


class Kernel:
    """`lanes` episodes at once: see `lanes.Lanes`. One thread at a time."""

    def __init__(self, parameters: Parameters, lanes: int) -> None:
        blocks = -(-lanes // WIDTH)
        self._count = lanes
        self._lanes = _rows(blocks, at.KEYS, dtype=np.uint64), _rows(blocks, at.FIELDS)
        fresh = _rows(at.KEYS, dtype=np.uint64), _rows(at.FIELDS)
        self._desks = (*fresh, _rows(DESK), _rows(_SCENE_ROWS))
        self._parameters = _record(parameters)

    @property
    def x(self) -> Any:
        return self._by_lane(self._lanes[1])

    @property
    def keys(self) -> Any:
        return self._by_lane(self._lanes[0])

    def step(self, moves: Any, seat: Seat) -> Shown:
        of = tuple(seat), self._parameters, self._desks
        many = len(self._lanes[0]) * WIDTH
        # The masks of the last lane are written a little too far.
        masks = np.empty(many * MASKED + WIDTH, np.int8)[:-WIDTH].reshape(many, MASKED)
        shown = np.empty((many, PRESENTED), np.float32), masks, np.empty(many)
        advance(self._lanes, moves, of, shown)
        return Shown(*(array[: self._count] for array in shown))

    def _by_lane(self, blocks: Any) -> Any:
        return blocks.swapaxes(1, 2).reshape(-1, blocks.shape[1])[: self._count]
