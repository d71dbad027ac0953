"""The typed client: `SREEnv` over OpenEnv's WebSocket. Knows the models, never the server.

    env = SREEnv(base_url="http://localhost:8000")
    result = env.reset(task_tier="easy")
    result = env.step(SREAction(action="restart", service_id="api_gateway"))
    result.reward

The same calls may be awaited; `with` or `async with` closes the session at the end.
"""

from collections.abc import Mapping
from typing import Any

from sre_autopilot.models import SREAction, SREObservation, SREState
from sre_autopilot.openenv_client import EnvClient, StepResult

__all__ = [
    "SREAction",
    "SREEnv",
    "SREObservation",
    "SREState",
    "SreAutopilotAction",
    "SreAutopilotEnv",
    "SreAutopilotObservation",
]


class SREEnv(EnvClient[SREAction, SREObservation, SREState]):
    """One session on a server.

    ### Arguments
    base_url: where the server is, e.g. http://localhost:8000.

    `reset(task_tier=..., seed=..., episode_id=..., backend=...)` and `step(action)` give a result
    with `observation`, `reward` and `done`; `state()` gives an SREState. What the server refuses
    is a RuntimeError with its message. A bad action is refused before it is sent: UnknownName,
    InvalidAction or InvalidValue.
    """

    def _step_payload(self, action: SREAction | Mapping[str, Any]) -> dict[str, Any]:
        return SREAction.parse(action).model_dump(mode="json", exclude_none=True)

    def _parse_result(self, payload: Mapping[str, Any]) -> StepResult[SREObservation]:
        """Reward and done, which travel beside the observation, are put back into it."""
        reward, done = payload.get("reward") or 0.0, bool(payload.get("done"))
        observation = SREObservation.model_validate(
            {**payload.get("observation", {}), "reward": reward, "done": done}
        )
        return StepResult(observation=observation, reward=reward, done=done)

    def _parse_state(self, payload: Mapping[str, Any]) -> SREState:
        return SREState.model_validate(payload)


# The names that OpenEnv's AutoEnv and AutoAction make up from the package's.
SreAutopilotEnv, SreAutopilotAction, SreAutopilotObservation = SREEnv, SREAction, SREObservation
