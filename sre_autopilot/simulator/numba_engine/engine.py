"""Runs the rules by Numba, WIDTH lanes at a time; compiled once and kept on disk.

The compiled code is kept in the user's cache folder (XDG_CACHE_HOME), under a name that changes
with the text of any rule, so that stale code is never run. Slow to import: loads the compiler.
"""

import hashlib
import os
from functools import partial
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba.extending import register_jitable

from sre_autopilot.simulator.batch import EpisodeQueue, StepOutput, out_of_range
from sre_autopilot.simulator.cache_folder import cache_folder
from sre_autopilot.simulator.numba_engine import overloads
from sre_autopilot.simulator.numba_engine.memory import (
    MASK_PADDING,
    feature_writer,
    mask_writer,
    rows_at,
    tuple_of_pointers,
)
from sre_autopilot.simulator.numba_engine.vector_type import WIDTH
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.simulator.rules.actions import apply_action
from sre_autopilot.simulator.rules.array_ops import where
from sre_autopilot.simulator.rules.fault_draws import TIERS, draw_faults
from sre_autopilot.simulator.rules.faults import clear_faults
from sre_autopilot.simulator.rules.features import (
    ACTION_COUNT,
    FEATURE_COUNT,
    MASK_SIZE,
    reward,
    write_features,
)
from sre_autopilot.simulator.rules.step import initial, observe
from sre_autopilot.simulator.rules.window_arrays import (
    SERVICE_COUNT,
    Parameters,
    make_window_arrays,
)

assert overloads.RULE_MODULES  # Importing it taught Numba the rules.

# Rows of the scratch array: what each lane of the block at hand gets, and what comes of it.
ACTION_ROW, SERVICE_ROW, BEGINS_ROW, FAULT_ROWS = range(4)
FAULT_ROW_COUNT = layout.MAX_FAULTS * layout.FAULT_WIDTH
FEATURE_ROWS = FAULT_ROWS + FAULT_ROW_COUNT
MASK_ROWS = FEATURE_ROWS + FEATURE_COUNT
SCRATCH_ROWS = MASK_ROWS + MASK_SIZE
_NO_ACTIONS = np.empty((0, 2), np.int64)
_SHAPE = make_window_arrays(None, np.zeros)  # type: ignore[arg-type]
_WINDOW_ROWS = sum(len(array) for group in _SHAPE[1:] for array in group)
_window_arrays_at = tuple_of_pointers(_SHAPE)
_write_features = feature_writer(FEATURE_COUNT)
_write_masks = mask_writer(ACTION_COUNT, SERVICE_COUNT)


def _advance(lanes: Any, actions: Any, of: tuple[Any, Any, Any], out: Any) -> bool:
    """A step in all lanes; returns whether it was made: not with an action out of range.

    lanes: their keys and state, (blocks, KEY_COUNT, WIDTH) and (blocks, FIELD_COUNT, WIDTH).
    actions: see `batch.Engine`. Without a row, every lane begins an episode.
    of: (number of the tier, first seeds, stride, begun) of an EpisodeQueue; a record of
        parameters; memory for one block: keys and state of lanes that begin, scratch, and the
        arrays of a window.
    out: features, masks as bytes with MASK_PADDING after them, rewards and done; of whole blocks,
        of which the caller takes as many lanes as there are.
    """
    (all_keys, all_x), (features, masks, rewards, done) = lanes, out
    (tier, first_seeds, stride, begun), parameters, (fresh_keys, fresh_x, scratch, window) = of
    all_begin = len(actions) == 0
    if not _in_range(actions):
        return False
    arrays = _window_arrays_at(parameters[0], window)
    fresh = layout.Lane(rows_at(fresh_keys, 0), rows_at(fresh_x, 0))
    rows = rows_at(scratch, 0)
    fault_rows = rows_at(scratch, FAULT_ROWS * WIDTH)
    clear_faults(arrays.condition)
    for block in range(len(all_x)):
        lane = layout.Lane(rows_at(all_keys[block], 0), rows_at(all_x[block], 0))
        first = block * WIDTH
        # The last block may have lanes that nobody asked for; they compute on, unread.
        here = min(WIDTH, len(begun) - first)
        begins = False
        for i in range(here):
            n = first + i
            scratch[BEGINS_ROW, i] = 0.0
            if all_begin or all_x[block, layout.DONE, i] > 0.0:
                begins = True
                scratch[BEGINS_ROW, i] = 1.0
                fresh_keys[layout.SEED, i] = first_seeds[n] + np.uint64(begun[n]) * stride
                begun[n] += 1
            if not all_begin:
                scratch[ACTION_ROW, i] = actions[n, 0]
                scratch[SERVICE_ROW, i] = actions[n, 1]
        apply_action(lane, rows[ACTION_ROW], rows[SERVICE_ROW])
        if begins:
            # The whole block begins in memory aside; lanes that play on keep their own state.
            beginning = rows[BEGINS_ROW] > 0.0
            draw_faults(tier, fresh.keys[layout.SEED], beginning, fault_rows)
            initial(fresh, fresh.keys[layout.SEED], fault_rows)
            for field in range(layout.KEY_COUNT):
                lane.keys[field] = where(beginning, fresh.keys[field], lane.keys[field])
            for field in range(layout.FIELD_COUNT):
                lane.x[field] = where(beginning, fresh.x[field], lane.x[field])
        observe(lane, arrays)
        feature_rows = rows_at(scratch, FEATURE_ROWS * WIDTH)
        mask_rows = rows_at(scratch, MASK_ROWS * WIDTH)
        write_features(lane, feature_rows, mask_rows)
        _write_features(feature_rows, features, first)
        _write_masks(mask_rows, masks, first)
        rows_at(rewards, first)[0] = reward(lane.x)
        for i in range(WIDTH):
            done[first + i] = all_x[block, layout.DONE, i] > 0.0
    return True


@register_jitable(error_model="numpy", _nrt=False, forceinline=True)
def _in_range(actions: Any) -> Any:
    in_range: Any = True
    for n in range(len(actions)):
        # As unsigned numbers, those below 0 are the largest. No way out of the loop, so that LLVM
        # makes it a few instructions over many lanes.
        in_range &= np.uint64(actions[n, 0]) < np.uint64(ACTION_COUNT)
        in_range &= np.uint64(actions[n, 1]) < np.uint64(SERVICE_COUNT)
    return in_range


def _compiled(function: Any) -> Any:
    """Compiled at its first call, or read from disk; not kept where no folder can be written."""
    digest = hashlib.sha256()
    for path in sorted(_SOURCES):
        digest.update(path.read_bytes())
    folder = _cache_folder(digest.hexdigest()[:16])
    # Without Numba's runtime (_nrt): nothing is allocated, so no reference is counted, which
    # halves the time of a step.
    njit: Any = partial(numba.njit, nogil=True, error_model="numpy", _nrt=False)
    if folder is None:
        return njit()(function)
    config: Any = numba.config
    # Numba reads its cache folder when a function is decorated, and has no argument for it.
    before, config.CACHE_DIR = config.CACHE_DIR, str(folder)
    try:
        return njit(cache=True)(function)
    finally:
        config.CACHE_DIR = before


def _cache_folder(name: str) -> Path | None:
    """The user's folder for compiled code; None where there is none that can be written."""
    try:
        folder = cache_folder(os.environ) / name
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # RuntimeError: the user has no home
        return None
    return folder if os.access(folder, os.W_OK | os.X_OK) else None


def _record(group: Any) -> Any:
    """(1,) record of all fields of a NamedTuple: Numba passes it by address, not field by field."""
    fields = {name: np.asarray(value) for name, value in group._asdict().items()}
    dtype = np.dtype([(name, value.dtype, value.shape) for name, value in fields.items()])
    record = np.zeros(1, dtype)
    for name, value in fields.items():
        record[name] = value
    return record


def _aligned_rows(*shape: int, dtype: Any = np.float64) -> Any:
    """Zeros, (*shape, WIDTH), each row aligned to its own size, so that no load spans two lines."""
    count = int(np.prod(shape)) * WIDTH
    room = np.zeros(count + WIDTH, dtype)
    skipped = -(room.ctypes.data // room.itemsize) % WIDTH
    return room[skipped : skipped + count].reshape(*shape, WIDTH)


_ROOT = Path(__file__).parents[3]
_SOURCES = (
    *Path(__file__).parent.glob("*.py"),
    *_ROOT.glob("sre_autopilot/simulator/rules/*.py"),
    *_ROOT.glob("sre_autopilot/world/*.py"),
    *(
        _ROOT / name
        for name in (
            "sre_autopilot/grading/score.py",
            "orchestrator/noise.py",
            "orchestrator/reward.py",
            "chaos/tiers.py",
        )
    ),
)
"""Files whose text the compiled code depends on: constants are compiled in."""
advance = _compiled(_advance)


class NumbaEngine:
    """`lanes` episodes at once: see `batch.Engine`."""

    def __init__(self, parameters: Parameters, lanes: int) -> None:
        blocks = -(-lanes // WIDTH)
        self._count = lanes
        keys, x = layout.KEY_COUNT, layout.FIELD_COUNT
        self._lanes = _aligned_rows(blocks, keys, dtype=np.uint64), _aligned_rows(blocks, x)
        fresh = _aligned_rows(keys, dtype=np.uint64), _aligned_rows(x)
        self._memory = (*fresh, _aligned_rows(SCRATCH_ROWS), _aligned_rows(_WINDOW_ROWS))
        self._parameters = _record(parameters)

    @property
    def x(self) -> Any:
        return self._by_lane(self._lanes[1])

    @property
    def keys(self) -> Any:
        return self._by_lane(self._lanes[0])

    def begin(self, queue: EpisodeQueue) -> StepOutput:
        return self._advance(_NO_ACTIONS, queue)

    def step(self, actions: Any, queue: EpisodeQueue) -> StepOutput:
        return self._advance(actions, queue)

    def _advance(self, actions: Any, queue: EpisodeQueue) -> StepOutput:
        episodes = TIERS.index(queue.tier), queue.first_seeds, queue.stride, queue.begun
        of = episodes, self._parameters, self._memory
        lanes = len(self._lanes[0]) * WIDTH
        features = np.empty((lanes, FEATURE_COUNT), np.float32)
        masks = np.empty(lanes * MASK_SIZE + MASK_PADDING, np.int8)
        rewards, done = np.empty(lanes), np.empty(lanes, np.bool_)
        if not advance(self._lanes, actions, of, (features, masks, rewards, done)):
            raise out_of_range(actions)
        count = self._count
        by_lane = masks[: count * MASK_SIZE].reshape(count, MASK_SIZE)
        return StepOutput(features[:count], by_lane, rewards[:count], done[:count])

    def _by_lane(self, blocks: Any) -> Any:
        return blocks.swapaxes(1, 2).reshape(-1, blocks.shape[1])[: self._count]
