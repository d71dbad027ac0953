"""One policy plays one episode in an environment."""

import asyncio
from collections.abc import Callable

from orchestrator.environment import Environment
from sre_autopilot.grading import EpisodeRecord, Score, grade
from sre_autopilot.models import SREAction, SREObservation
from sre_autopilot.policies import Policy, brief
from sre_autopilot.world.vocabulary import Tier

Watch = Callable[[SREAction | None, SREObservation], None]


def _unwatched(_action: SREAction | None, _observation: SREObservation) -> None:
    """For callers that look at the record alone."""


def play(
    environment: Environment, policy: Policy, tier: Tier, seed: int, *, watch: Watch = _unwatched
) -> tuple[EpisodeRecord, Score]:
    """As `play_async`, on the event loop of the environment."""
    return environment.run(lambda: play_async(environment, policy, tier, seed, watch=watch))


async def play_async(
    environment: Environment, policy: Policy, tier: Tier, seed: int, *, watch: Watch = _unwatched
) -> tuple[EpisodeRecord, Score]:
    """Plays until done; returns the record and its score.

    watch: called with every action (None at reset) and the observation after it.
    """
    observation = await environment.reset_async(seed=seed, task_tier=tier, policy=policy.name)
    brief(policy, seed, environment.episode)
    watch(None, observation)
    while not observation.done:
        action = policy.act(observation)
        observation = await environment.step_async(action)
        watch(action, observation)
        await asyncio.sleep(0)  # a simulated episode never waits: others on the loop get a turn
    record = environment.hidden_state()
    return record, grade(record)
