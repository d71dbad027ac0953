"""One policy plays many episodes at once in the vector simulator; the scores are those of `play`.

Policies observe what they observe anywhere else. The fields of MISSING_FIELDS cost time, so they
are there for policies alone that ask for them by `needs_traces`; reading one without is an error.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chaos.tiers import draw_faults
from orchestrator.episode import Episode, Plan
from sre_autopilot.evaluation.lane_outcomes import Floats, Outcomes
from sre_autopilot.models import SREAction, SREObservation
from sre_autopilot.policies import Policy, brief
from sre_autopilot.policies.many import pair_of
from sre_autopilot.simulator import NAME
from sre_autopilot.simulator.batch import Engine, EpisodeQueue
from sre_autopilot.simulator.lane_observations import LaneObservations
from sre_autopilot.simulator.mesh import REPLICA_IDS
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.simulator.rules.window_arrays import REPLICA_COUNT
from sre_autopilot.simulator.span_draws import SpanDraws
from sre_autopilot.world.vocabulary import ACTION_HISTORY_LENGTH, Tier


@dataclass(slots=True)
class Player:
    """A policy in one lane.

    truth: kept for privileged policies alone, None for others. Its plan, cures and deployment are
        those of the lane; it has no windows.
    """

    lane: int
    policy: Policy
    truth: Episode | None
    history: deque[SREAction] = field(default_factory=lambda: deque(maxlen=ACTION_HISTORY_LENGTH))

    def act(self, observation: SREObservation) -> tuple[int, int]:
        """The action and service after `observation`, by number."""
        action = self.policy.act(observation)
        self.history.append(action)
        if self.truth is not None:
            self.truth.take(action)
        return pair_of(action)

    def end_window(self, x: Floats) -> None:
        """Brings the truth up to date with `x` (FIELDS), the lane's state after its window."""
        if self.truth is None:
            return
        # Only a replica that was killed in a window has a start that lies after it.
        started_at = x[layout.STARTED_AT : layout.STARTED_AT + REPLICA_COUNT]
        killed = np.flatnonzero(started_at > x[layout.STEP])
        self.truth.end_window([REPLICA_IDS[replica] for replica in killed])


def play_batch(
    engine: Engine, new_policy: Callable[[], Policy], tier: Tier, seeds: Sequence[int]
) -> Outcomes:
    """What becomes of each seed; there is a lane, and a policy, for each.

    engine: one that keeps calls, where the policy needs traces.
    Raises MissingField.
    """
    queue, actions = EpisodeQueue(tier, seeds), np.full((len(seeds), 2), (layout.WAIT, 0))
    outcomes = Outcomes.blank(len(seeds))
    playing = [_begin(lane, new_policy(), tier, seed) for lane, seed in enumerate(seeds)]
    observations = LaneObservations(engine)
    spans = SpanDraws(engine) if playing[0].policy.needs_traces else None

    def end_window() -> Any:
        observations.after_window(None if spans is None else spans.after_window())
        x = engine.x
        for player in playing:
            player.end_window(x[player.lane])
        return x

    engine.begin(queue)
    end_window()
    # Lanes whose episode is over begin another one, which is not read.
    while playing:
        here = [player.lane for player in playing]
        observed = observations.of(here, [list(player.history) for player in playing])
        actions[here] = [player.act(each) for player, each in zip(playing, observed, strict=True)]
        engine.step(actions, queue)
        x = end_window()
        done = x[:, layout.DONE] > 0.0
        outcomes.after_step(here, x)
        playing = [player for player in playing if not done[player.lane]]
    return outcomes


def _begin(lane: int, policy: Policy, tier: Tier, seed: int) -> Player:
    truth = None
    if policy.privileged:
        truth = Episode(Plan(f"{tier}-{seed}", seed, tier, draw_faults(tier, seed), NAME))
    brief(policy, seed, truth)
    return Player(lane, policy, truth)
