"""Runs the rules by Numba, WIDTH lanes at a time. Slow to import: loads the compiler."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sre_autopilot.history.row_layout import ACTION_COUNT, FEATURE_COUNT, MASK_SIZE
from sre_autopilot.simulator.batch import EpisodeQueue, StepOutput, out_of_range
from sre_autopilot.simulator.numba_engine import overloads
from sre_autopilot.simulator.numba_engine.arrays import aligned_rows, record_of
from sre_autopilot.simulator.numba_engine.compiled import compiled
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

assert overloads.RULE_MODULES  # Importing it taught Numba the rules.

# Rows of the scratch array: what each lane of the block at hand gets, and what comes of it.
ACTION_ROW, SERVICE_ROW, BEGINS_ROW, FAULT_ROWS = range(4)
FAULT_ROW_COUNT = layout.MAX_FAULTS * layout.FAULT_WIDTH
FEATURE_ROWS = FAULT_ROWS + FAULT_ROW_COUNT
MASK_ROWS = FEATURE_ROWS + FEATURE_COUNT
SCRATCH_ROWS = MASK_ROWS + MASK_SIZE
_NO_ACTIONS, _NO_CHOICE = np.empty((0, 2), np.int64), np.empty(0, np.bool_)
_SHAPE = make_window_arrays(None, np.zeros)  # type: ignore[arg-type]
_WINDOW_ROWS = sum(len(array) for group in _SHAPE[1:] for array in group)
_window_arrays_at = tuple_of_pointers(_SHAPE)
_write_features = feature_writer(FEATURE_COUNT)
_write_masks = mask_writer(ACTION_COUNT, SERVICE_COUNT)


def _advance(lanes: Any, actions: Any, of: tuple[Any, Any, Any], out: Any) -> bool:
    """A step in all lanes; returns whether it was made: not with an action out of range.

    lanes: their keys and state, (blocks, KEY_COUNT, WIDTH) and (blocks, FIELD_COUNT, WIDTH).
    actions: see `batch.Engine`. Without a row, lanes begin an episode and no time passes in the
        others.
    of: (tier bounds, first seeds, stride, begun) of an EpisodeQueue, and without actions a flag a
        lane that says whether it begins; a record of parameters; memory for one block: keys and
        state of lanes that begin, state of those that do not, scratch, and the arrays of a window.
    out: features, masks as bytes with MASK_PADDING after them, rewards, done, and calls
        (blocks, CALL_ROWS, WIDTH) or without a block where nobody reads them; of whole blocks,
        of which the caller takes as many lanes as there are. Blocks where nothing happens are
        not written.
    """
    (all_keys, all_x), (features, masks, rewards, done, calls) = lanes, out
    (bounds, first_seeds, stride, begun, chosen), parameters, memory = of
    fresh_keys, fresh_x, kept_x, scratch, window = memory
    only_begin = len(actions) == 0
    if not _in_range(actions):
        return False
    arrays = _window_arrays_at(parameters[0], window)
    fresh = layout.Lane(rows_at(fresh_keys, 0), rows_at(fresh_x, 0))
    rows, kept = rows_at(scratch, 0), rows_at(kept_x, 0)
    fault_rows = rows_at(scratch, FAULT_ROWS * WIDTH)
    clear_faults(arrays.condition)
    for block in range(len(all_x)):
        lane = layout.Lane(rows_at(all_keys[block], 0), rows_at(all_x[block], 0))
        first = block * WIDTH
        # The last block may have lanes that nobody asked for; they compute on, unread.
        here = min(WIDTH, len(begun) - first)
        begins = _load_block(
            (first, here),
            (first_seeds, stride, begun),
            (actions, chosen),
            (all_x[block], fresh_keys, scratch),
        )
        if only_begin:
            if not begins:
                continue
            _copy_fields(lane.x, kept)
        apply_action(lane, rows[ACTION_ROW], rows[SERVICE_ROW])
        if begins:
            _begin(lane, fresh, rows, (bounds, fault_rows))
        observe(lane, arrays)
        if len(calls) > 0:
            write_calls(arrays, rows_at(calls[block], 0))
        if only_begin:
            _restore_others(lane.x, kept, rows[BEGINS_ROW] > 0.0)
        feature_rows = rows_at(scratch, FEATURE_ROWS * WIDTH)
        mask_rows = rows_at(scratch, MASK_ROWS * WIDTH)
        write_features(lane, feature_rows, mask_rows)
        _write_features(feature_rows, features, first)
        _write_masks(mask_rows, masks, first)
        rows_at(rewards, first)[0] = reward(lane.x)
        for i in range(WIDTH):
            done[first + i] = all_x[block, layout.DONE, i] > 0.0
    return True


@overloads.inlined
def _load_block(place: Any, queue: Any, asked: Any, memory: Any) -> bool:
    """Writes actions, and seeds of episodes that begin, where the rules read them.

    Returns whether one begins. place: first lane of the block, and how many there are.
    """
    (first, here), (first_seeds, stride, begun), (actions, chosen) = place, queue, asked
    x, fresh_keys, scratch = memory
    only_begin, begins = len(actions) == 0, False
    for i in range(here):
        n = first + i
        scratch[BEGINS_ROW, i] = 0.0
        if chosen[n] if only_begin else x[layout.DONE, i] > 0.0:
            begins = True
            scratch[BEGINS_ROW, i] = 1.0
            fresh_keys[layout.SEED, i] = first_seeds[n] + np.uint64(begun[n]) * stride
            begun[n] += 1
        if not only_begin:
            scratch[ACTION_ROW, i] = actions[n, 0]
            scratch[SERVICE_ROW, i] = actions[n, 1]
    return begins


@overloads.inlined
def _begin(lane: Any, fresh: Any, rows: Any, of: Any) -> None:
    """Lanes begin their episodes. of: tier bounds, and rows for the faults."""
    bounds, fault_rows = of
    # The whole block begins in memory aside; lanes that play on keep their own state.
    beginning = rows[BEGINS_ROW] > 0.0
    tier = draw_tier(fresh.keys[layout.SEED], bounds)
    draw_faults(tier, fresh.keys[layout.SEED], beginning, fault_rows)
    initial(fresh, fresh.keys[layout.SEED], fault_rows)
    for field in range(layout.KEY_COUNT):
        lane.keys[field] = where(beginning, fresh.keys[field], lane.keys[field])
    for field in range(layout.FIELD_COUNT):
        lane.x[field] = where(beginning, fresh.x[field], lane.x[field])


@overloads.inlined
def _copy_fields(x: Any, to: Any) -> None:
    for field in range(layout.FIELD_COUNT):
        to[field] = x[field]


@overloads.inlined
def _restore_others(x: Any, kept: Any, beginning: Any) -> None:
    """No time has passed in lanes that did not begin."""
    for field in range(layout.FIELD_COUNT):
        x[field] = where(beginning, x[field], kept[field])


@overloads.inlined
def _in_range(actions: Any) -> Any:
    in_range: Any = True
    for n in range(len(actions)):
        # As unsigned numbers, those below 0 are the largest. No way out of the loop, so that LLVM
        # makes it a few instructions over many lanes.
        in_range &= np.uint64(actions[n, 0]) < np.uint64(ACTION_COUNT)
        in_range &= np.uint64(actions[n, 1]) < np.uint64(SERVICE_COUNT)
    return in_range


advance = compiled(_advance)


class NumbaEngine:
    """`lanes` episodes at once: see `batch.Engine`.

    keeps_calls: whether it writes `calls`.
    """

    def __init__(self, parameters: Parameters, lanes: int, *, keeps_calls: bool = False) -> None:
        blocks = -(-lanes // WIDTH)
        self._count = lanes
        keys, x = layout.KEY_COUNT, layout.FIELD_COUNT
        self._lanes = aligned_rows(blocks, keys, dtype=np.uint64), aligned_rows(blocks, x)
        fresh = aligned_rows(keys, dtype=np.uint64), aligned_rows(x)
        self._memory = (
            *fresh,
            aligned_rows(x),
            aligned_rows(SCRATCH_ROWS),
            aligned_rows(_WINDOW_ROWS),
        )
        self._parameters = record_of(parameters)
        self._calls = aligned_rows(blocks if keeps_calls else 0, CALL_ROWS)

    @property
    def x(self) -> Any:
        return self._by_lane(self._lanes[1])

    @property
    def keys(self) -> Any:
        return self._by_lane(self._lanes[0])

    @property
    def calls(self) -> Any:
        return self._by_lane(self._calls)

    def state(self, fields: Sequence[int]) -> Any:
        return self._by_lane(self._lanes[1][:, fields])

    def load(self, keys: Any, x: Any) -> None:
        for blocks, rows in zip(self._lanes, (keys, x), strict=True):
            padded = np.zeros((len(blocks) * WIDTH, blocks.shape[1]), blocks.dtype)
            padded[: self._count] = rows
            blocks[:] = padded.reshape(-1, WIDTH, blocks.shape[1]).swapaxes(1, 2)

    def begin(self, queue: EpisodeQueue, lanes: Any = None) -> StepOutput:
        if lanes is None:
            return self._advance(_NO_ACTIONS, queue, np.ones(self._count, np.bool_))
        chosen = np.zeros(self._count, np.bool_)
        chosen[lanes] = True
        output = self._advance(_NO_ACTIONS, queue, chosen)
        return StepOutput(*(rows[lanes] for rows in output))

    def step(self, actions: Any, queue: EpisodeQueue) -> StepOutput:
        return self._advance(actions, queue, _NO_CHOICE)

    def _advance(self, actions: Any, queue: EpisodeQueue, chosen: Any) -> StepOutput:
        episodes = queue.tier_bounds, queue.first_seeds, queue.stride, queue.begun, chosen
        of = episodes, self._parameters, self._memory
        lanes = len(self._lanes[0]) * WIDTH
        features = np.empty((lanes, FEATURE_COUNT), np.float32)
        masks = np.empty(lanes * MASK_SIZE + MASK_PADDING, np.int8)
        rewards, done = np.empty(lanes), np.empty(lanes, np.bool_)
        if not advance(self._lanes, actions, of, (features, masks, rewards, done, self._calls)):
            raise out_of_range(actions)
        count = self._count
        by_lane = masks[: count * MASK_SIZE].reshape(count, MASK_SIZE)
        return StepOutput(features[:count], by_lane, rewards[:count], done[:count])

    def _by_lane(self, blocks: Any) -> Any:
        return blocks.swapaxes(1, 2).reshape(-1, blocks.shape[1])[: self._count]
