"""Many episodes side by side: what both engines offer, and which episode each lane plays next."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from sre_autopilot.simulator.fault_table import draw_fault_table
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.world.vocabulary import Tier

RESET = -1
"""In place of an action: the lane's next episode begins, whatever became of the last."""
_EPISODES_AHEAD = 1 << 14
_LEAST_AHEAD, _MOST_AHEAD = 4, 64
"""Episodes drawn ahead: of all lanes together, 4 MB of faults; and bounds of those of one lane."""


class EpisodeQueue:
    """The episodes that each lane plays, one after the other, without end.

    The k-th episode (from 0) of lane i has seed `first_seeds[i] + k * stride`, modulo 2**64:
    it depends on nothing else. Faults are drawn some episodes ahead of need, many at once, because
    a thousand draws together take little longer than one.

    seeds: (lanes, ahead) uint64. faults: (lanes, ahead, MAX_FAULTS * FAULT_WIDTH).
    begun: (lanes,) int64, how many episodes each lane has begun. Episode k of a lane stands in
    column k % ahead; engines read it there and count `begun` up.
    """

    def __init__(self, tier: Tier, first_seeds: Sequence[int], stride: int | None = None) -> None:
        """`stride` is the number of lanes unless given. Raises ValueError without a seed."""
        if not len(first_seeds):
            raise ValueError("first_seeds must name a seed for each lane, and at least one")
        lanes = len(first_seeds)
        ahead = min(_MOST_AHEAD, max(_LEAST_AHEAD, _EPISODES_AHEAD // lanes))
        self.tier = tier
        self.begun = np.zeros(lanes, np.int64)
        self._first = np.array(first_seeds, np.uint64)
        self._stride = np.uint64(lanes if stride is None else stride)
        self._rounds = np.tile(np.arange(ahead, dtype=np.int64), (lanes, 1))
        self.seeds = np.empty((lanes, ahead), np.uint64)
        self.faults = np.empty((lanes, ahead, layout.MAX_FAULTS * layout.FAULT_WIDTH))
        self._fill(np.arange(lanes * ahead))
        self._safe_steps = ahead

    def prepare(self) -> None:
        """Makes sure that every lane can begin an episode in this step. Engines call it first."""
        # A lane begins one episode a step at most, so the fewest episodes that a lane has left
        # are so many steps in which nothing needs to be looked at.
        if self._safe_steps == 0:
            left = self._fewest_left()
            if left == 0:
                self._draw_on()
                left = self._fewest_left()
            self._safe_steps = left
        self._safe_steps -= 1

    def _fewest_left(self) -> int:
        most_begun = int((self.begun - self._refilled_at).max())
        return int(self._rounds.shape[1]) - most_begun

    def _draw_on(self) -> None:
        """Draws new episodes in place of those that have begun."""
        stale = np.flatnonzero(self._rounds < self.begun[:, None])
        self._rounds.reshape(-1)[stale] += self._rounds.shape[1]
        self._fill(stale)

    def _fill(self, places: Any) -> None:
        """Writes seed and faults of the rounds at these places of the flattened (lanes, ahead)."""
        rounds = self._rounds.reshape(-1)[places].astype(np.uint64)
        seeds = self._first[places // self._rounds.shape[1]] + rounds * self._stride
        self.seeds.reshape(-1)[places] = seeds
        faults = self.faults.reshape(-1, self.faults.shape[2])
        faults[places] = draw_fault_table(self.tier, seeds)
        self._refilled_at = self.begun.copy()


class StepOutput(NamedTuple):
    """What a learner gets of a step, in new arrays every time.

    features: (lanes, FEATURE_COUNT) float32. action_masks: (lanes, MASK_SIZE) int8.
    rewards: (lanes,) float64. done: (lanes,) bool, whether the episode ended with this step.
    See `rules.features`.
    """

    features: Any
    action_masks: Any
    rewards: Any
    done: Any


class Engine(Protocol):
    """Runs the rules over lanes: `x` is (lanes, FIELD_COUNT), `keys` is (lanes, KEY_COUNT).

    See `rules.state_layout`. One thread at a time.
    """

    @property
    def x(self) -> Any: ...

    @property
    def keys(self) -> Any: ...

    def step(self, actions: Any, queue: EpisodeQueue) -> StepOutput:
        """A step in every lane; `actions` (lanes, 2) int64: an action and a service, by number.

        A lane whose episode is done, or whose action is RESET, begins its next one instead.
        """
        ...
