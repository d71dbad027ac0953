"""One policy plays many seeds of a tier in the simulator, all at once; the scores are those of an
environment that plays one after the other.
"""

from collections.abc import Callable, Sequence
from functools import partial

from sre_autopilot.evaluation.lane_outcomes import Floats, Outcomes
from sre_autopilot.evaluation.results import ScoredEpisode
from sre_autopilot.evaluation.vector_play import play_batch
from sre_autopilot.policies import Policy, load_policy
from sre_autopilot.simulator.engines import make_engine
from sre_autopilot.simulator.rules.window_arrays import Parameters
from sre_autopilot.world.vocabulary import Tier

Advance = Callable[[int], None]
"""Called with how many episodes have ended since the last call."""


class VectorEvaluator:
    """Scores policies on the same seeds of the simulator.

    engine: one of the simulator's engines; None for the fastest that is installed.
    simulator_of: the real backend that the simulator is fitted to, or other parameters.

    Raises UnknownName for an engine or a backend that does not exist.
    """

    def __init__(
        self, seeds: Sequence[int], engine: str | None, simulator_of: str | Parameters
    ) -> None:
        self._seeds = seeds
        self._engine, self._tracing_engine = (
            make_engine(engine, simulator_of, len(seeds), keeps_calls=keeps_calls)
            for keeps_calls in (False, True)
        )

    @property
    def episode_count(self) -> int:
        """Episodes of one policy on one tier."""
        return len(self._seeds)

    def scores(self, policy: str, tier: Tier, advance: Advance) -> Floats:
        """A score a seed, in the order of the seeds. Raises UnknownName for the policy."""
        return self.outcomes(partial(load_policy, policy), tier, advance).score

    def outcomes(self, new_policy: Callable[[], Policy], tier: Tier, advance: Advance) -> Outcomes:
        """What becomes of each seed, played by a policy of its own, in the order of the seeds."""
        engine = self._tracing_engine if new_policy().needs_traces else self._engine
        outcomes = play_batch(engine, new_policy, tier, self._seeds)
        advance(self.episode_count)
        return outcomes

    def episodes(self, policy: str, tier: Tier, advance: Advance) -> list[ScoredEpisode]:
        """The scores with what they are of, for comparisons."""
        scores = self.scores(policy, tier, advance).tolist()
        return [
            ScoredEpisode(policy, tier, seed, score)
            for seed, score in zip(self._seeds, scores, strict=True)
        ]
