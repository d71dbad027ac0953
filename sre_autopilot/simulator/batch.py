"""Many episodes side by side: what both engines offer, and which episode each lane plays next."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from sre_autopilot.errors import InvalidValue
from sre_autopilot.history.row_layout import ACTION_COUNT
from sre_autopilot.simulator.rules.fault_draws import TIERS, draw_tier
from sre_autopilot.simulator.rules.window_arrays import SERVICE_COUNT
from sre_autopilot.world.vocabulary import Tier


class EpisodeQueue:
    """The episodes that each lane plays, one after the other, without end.

    The k-th episode (from 0) of lane i has seed `first_seeds[i] + k * stride`, modulo 2**64:
    it depends on nothing else. Engines count `begun` up and draw the faults of (tier, seed); where
    tiers are mixed, the seed and the shares decide which tier it is.

    tier_bounds: (tiers,) float64, see `rules.fault_draws.draw_tier`.
    first_seeds: (lanes,) uint64. stride: uint64.
    begun: (lanes,) int64, how many episodes each lane has begun.
    """

    def __init__(
        self,
        tiers: Tier | Mapping[Tier, float],
        first_seeds: Sequence[int],
        stride: int | None = None,
    ) -> None:
        """tiers: one for all episodes, or the share of each, which need not add up to 1.

        `stride` is the number of lanes unless given. Raises ValueError without a seed.
        """
        if not len(first_seeds):
            raise ValueError("first_seeds must name a seed for each lane, and at least one")
        self.tier_bounds = _tier_bounds({tiers: 1.0} if isinstance(tiers, Tier) else tiers)
        self.first_seeds = np.array(first_seeds, np.uint64)
        self.stride = np.uint64(len(first_seeds) if stride is None else stride)
        self.begun = np.zeros(len(first_seeds), np.int64)

    def begin(self, lanes: Any) -> Any:
        """The seeds of the next episodes of some lanes, which begin now: (lanes,) uint64."""
        seeds = self.first_seeds[lanes] + self.begun[lanes].astype(np.uint64) * self.stride
        self.begun[lanes] += 1
        return seeds

    def put_back(self, lanes: Any) -> None:
        """The episodes that these lanes have begun last come next once more."""
        self.begun[lanes] -= 1

    def tiers_of(self, seeds: Any) -> Any:
        """Numbers of the tiers that the episodes of `seeds` (uint64) are played on."""
        return draw_tier(seeds, self.tier_bounds).astype(np.int64)


def _tier_bounds(shares: Mapping[Tier, float]) -> Any:
    """From 0 to 1 and never falling: the shares up to each tier, divided by their sum."""
    up_to = np.cumsum([shares.get(tier, 0.0) for tier in TIERS])
    return up_to / up_to[-1]


class StepOutput(NamedTuple):
    """What a learner gets of a step, in new arrays every time.

    features: (lanes, FEATURE_COUNT) float32. action_masks: (lanes, MASK_SIZE) int8.
    rewards: (lanes,) float64. done: (lanes,) bool, whether the episode ended with this step.
    See `history.row_layout`.
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

    @property
    def calls(self) -> Any:
        """(lanes, CALL_ROWS) of the last window of each lane, see `rules.calls`.

        Written only by an engine that was made for it, and only for lanes in which the last call
        let a window pass.
        """
        ...

    def state(self, fields: Sequence[int]) -> Any:
        """(lanes, len(fields)): some columns of `x`, without a copy of the others."""
        ...

    def load(self, keys: Any, x: Any) -> None:
        """Puts every lane into a state: `keys` and `x` as of an engine with as many lanes."""
        ...

    def begin(self, queue: EpisodeQueue, lanes: Any = None) -> StepOutput:
        """Lanes begin their next episodes, whatever became of the last; the others stay put.

        lanes: their numbers, rising; None for all. The output has a row for each of them alone.
        """
        ...

    def step(self, actions: Any, queue: EpisodeQueue) -> StepOutput:
        """A step in every lane; `actions` (lanes, 2) int64: an action and a service, by number.

        A lane whose episode is done begins its next one instead. Raises InvalidValue for an action
        out of range, before anything changes.
        """
        ...


def out_of_range(actions: Any) -> InvalidValue:
    """The error of an engine that is given such actions."""
    valid = f"pairs of whole numbers, 0 to {ACTION_COUNT - 1} and 0 to {SERVICE_COUNT - 1}"
    return InvalidValue("actions", actions, valid)
