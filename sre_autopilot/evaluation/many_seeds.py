"""One policy plays many seeds of a tier in the simulator, the quickest way that it can.

That is in lanes, or one after the other in an environment, a hundred times as slow, for a policy
that asks for what lanes do not have. The scores are the same.
"""

from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Self

import numpy as np

from orchestrator.environment import Environment
from sre_autopilot.evaluation.vector_play import Floats, NotInLanes, play_lanes
from sre_autopilot.policies import load_policy
from sre_autopilot.policies.play import play
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.simulator.engines import make_engine
from sre_autopilot.world.vocabulary import Tier


class Seeds:
    """To be played, again and again: `with Seeds(...) as seeds: seeds.play(policy, tier, bar)`.

    Raises UnknownName for an engine, and for a backend that the simulator is not fitted to.
    """

    def __init__(self, seeds: Sequence[int], engine: str | None, simulator_of: str) -> None:
        self._seeds = seeds
        self._engine = make_engine(engine, simulator_of, len(seeds))
        self._environment = Environment(partial(SimulatorBackend, simulator_of))
        self._not_in_lanes: set[str] = set()

    def play(self, policy: str, tier: Tier, advance: Callable[[int], None]) -> Floats:
        """A score a seed; `advance` is told how many episodes have ended since last time."""
        if policy not in self._not_in_lanes:
            try:
                scores = play_lanes(self._engine, partial(load_policy, policy), tier, self._seeds)
            except NotInLanes:
                self._not_in_lanes.add(policy)
            else:
                advance(len(scores))
                return scores
        return np.array([self._play_one(policy, tier, seed, advance) for seed in self._seeds])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._environment.close()

    def _play_one(
        self, policy: str, tier: Tier, seed: int, advance: Callable[[int], None]
    ) -> float:
        _record, score = play(self._environment, load_policy(policy), tier, seed)
        advance(1)
        return score.total
