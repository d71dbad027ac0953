"""Scores of a network on seeds that it was not trained on: all of a tier side by side.

The scores are those of the policy `learned` in `evaluate`, many times as fast: rows of lanes go
straight into the network.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sre_autopilot.history.newest import advance_newest, blank_newest
from sre_autopilot.policies.network import Network
from sre_autopilot.simulator.gym.action_coding import FLAT
from sre_autopilot.simulator.gym.vector_env import SREAutopilotVectorEnv
from sre_autopilot.world.vocabulary import SEED_SPLITS, Tier


def validation_seeds(count: int) -> range:
    """The first of the split; those of tests are left for tests."""
    return SEED_SPLITS["validation"][:count]


def scores(network: Network, tier: Tier, seeds: Sequence[int], engine: str | None = None) -> Any:
    """(seeds,) float64, in the order of the seeds."""
    env = SREAutopilotVectorEnv(len(seeds), tier, engine=engine, actions=FLAT, trace_edges=True)
    rows, _ = env.reset(seed=list(seeds))
    inputs, state = advance_newest(blank_newest(len(seeds)), rows), network.blank_state(len(seeds))
    out = np.full(len(seeds), np.nan)
    # Lanes whose episode is over begin another one, which is not read.
    while (unfinished := np.isnan(out)).any():
        actions, state = network.actions(inputs, state)
        rows, rewards, done, _, _ = env.step(actions)
        inputs = advance_newest(inputs, rows)
        ended = done & unfinished
        out[ended] = rewards[ended]
    return out
