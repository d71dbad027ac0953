"""One policy plays one episode in an environment."""

from collections.abc import Callable

from grader import EpisodeRecord, Score, grade
from models import SREAction, SREObservation
from orchestrator.environment import Environment
from orchestrator.policies import Briefing, Policy
from services.mesh.vocabulary import Tier

Watch = Callable[[SREAction | None, SREObservation], None]


def play(
    environment: Environment,
    policy: Policy,
    tier: Tier,
    seed: int,
    *,
    watch: Watch = lambda _action, _observation: None,
) -> tuple[EpisodeRecord, Score]:
    """Plays until done; `watch` sees every action (None at first) and observation as it comes."""
    observation = environment.reset(seed=seed, task_tier=tier, policy=policy.name)
    policy.begin(Briefing(seed, tier, environment.episode if policy.privileged else None))
    watch(None, observation)
    while not observation.done:
        action = policy.act(observation)
        observation = environment.step(action)
        watch(action, observation)
    record = environment.hidden_state()
    return record, grade(record)
