"""Many episodes side by side: what both readings offer, and how lanes are given their episodes."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from sre_autopilot.simulator.fault_table import stories
from sre_autopilot.world.vocabulary import Tier

BEGIN = -1
"""In place of an action: the lane's next episode begins, whatever became of the last."""


class Seat(NamedTuple):
    """Episodes to be played: seeds (n,) and their stories (n, fields); `rows` (lanes,) says which
    comes next in each lane, and goes on by as many as there are lanes, round and round.
    """

    seeds: Any
    stories: Any
    rows: Any


def seat(tier: Tier, seeds: Sequence[int], lanes: int) -> Seat:
    """Seats for `lanes` lanes. Raises ValueError where there are no seeds."""
    if not seeds:
        raise ValueError("seeds must not be empty")
    rows = np.arange(lanes, dtype=np.int64) % len(seeds)
    return Seat(np.asarray(seeds, np.uint64), stories(tier, seeds), rows)


class Shown(NamedTuple):
    """What learners are given: `rows` (lanes, PRESENTED), float32; `masks` (lanes, actions *
    services), int8; `rewards` (lanes,), float64. See `presented`.
    """

    rows: Any
    masks: Any
    rewards: Any


class Lanes(Protocol):
    """`x` is (lanes, FIELDS), `keys` is (lanes, KEYS): see `lane`."""

    @property
    def x(self) -> Any: ...

    @property
    def keys(self) -> Any: ...

    def step(self, moves: Any, seat: Seat) -> Shown:
        """A step in every lane: `moves` (lanes, 2), int64, has its action and service by number.

        A lane whose episode is done, or whose action is BEGIN, begins its next one instead. What is
        shown is the caller's: new arrays, every step.
        """
        ...
