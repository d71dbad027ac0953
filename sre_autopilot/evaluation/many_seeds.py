"""One policy plays many seeds of a tier in the simulator, in the quickest way that it can.

That is all seeds at once in the vector simulator or, for a policy that needs traces, one after the
other in an environment, about a hundred times slower. The scores are the same.
"""

from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Self

import numpy as np

from orchestrator.environment import Environment
from sre_autopilot.evaluation.results import ScoredEpisode
from sre_autopilot.evaluation.vector_play import Floats, play_batch
from sre_autopilot.policies import load_policy
from sre_autopilot.policies.play import play
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.simulator.engines import make_engine
from sre_autopilot.world.vocabulary import Tier

Advance = Callable[[int], None]
"""Called with how many episodes have ended since the last call."""


class VectorEvaluator:
    """Scores policies on the same seeds of the simulator; a context, which closes what it started.

    engine: one of the simulator's engines; None for the fastest that is installed.
    simulator_of: the real backend that the simulator is fitted to.

    Raises UnknownName for an engine or a backend that does not exist.
    """

    def __init__(self, seeds: Sequence[int], engine: str | None, simulator_of: str) -> None:
        self._seeds = seeds
        self._engine = make_engine(engine, simulator_of, len(seeds))
        self._environment = Environment(partial(SimulatorBackend, simulator_of))

    @property
    def episode_count(self) -> int:
        """Episodes of one policy on one tier."""
        return len(self._seeds)

    def scores(self, policy: str, tier: Tier, advance: Advance) -> Floats:
        """A score a seed, in the order of the seeds. Raises UnknownName for the policy."""
        if load_policy(policy).needs_traces:
            return np.array([self._play_one(policy, tier, seed, advance) for seed in self._seeds])
        scores = play_batch(self._engine, partial(load_policy, policy), tier, self._seeds)
        advance(len(scores))
        return scores

    def episodes(self, policy: str, tier: Tier, advance: Advance) -> list[ScoredEpisode]:
        """The scores with what they are of, for comparisons."""
        scores = self.scores(policy, tier, advance).tolist()
        return [
            ScoredEpisode(policy, tier, seed, score)
            for seed, score in zip(self._seeds, scores, strict=True)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._environment.close()

    def _play_one(self, policy: str, tier: Tier, seed: int, advance: Advance) -> float:
        _record, score = play(self._environment, load_policy(policy), tier, seed)
        advance(1)
        return score.total
