"""NeMo Gym: a resources server whose routes are the actions, and rows of a data set.

Its agent server names a rollout by a cookie; the episode is kept under that until it is verified.
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from fastapi import FastAPI, Request
from nemo_gym.base_resources_server import (
    BaseResourcesServerConfig,
    BaseSeedSessionRequest,
    BaseSeedSessionResponse,
    BaseVerifyRequest,
    BaseVerifyResponse,
    SimpleResourcesServer,
)
from nemo_gym.server_utils import SESSION_ID_KEY
from pydantic import ConfigDict, PrivateAttr

from sre_autopilot.adapters.rollout import EpisodeOver, Rollout, first_messages
from sre_autopilot.adapters.tasks import Task, tasks_of
from sre_autopilot.adapters.tools import functions
from sre_autopilot.world.vocabulary import DEFAULT_TIERS, ActionName

Route = Callable[[Request], Coroutine[Any, Any, str]]


class SREAutopilotConfig(BaseResourcesServerConfig):
    """base_url: a server's; without it, the simulator in the process of this one."""

    base_url: str | None = None


class SeedRequest(BaseSeedSessionRequest):
    task: str


class VerifyRequest(BaseVerifyRequest):
    task: str


class VerifyResponse(BaseVerifyResponse):
    """The reward, and beside it the metrics of the episode."""

    model_config = ConfigDict(extra="allow")


class SREAutopilotResourcesServer(SimpleResourcesServer):
    config: SREAutopilotConfig
    _rollouts: dict[str, Rollout] = PrivateAttr(default_factory=dict)

    def setup_webserver(self) -> FastAPI:
        app: FastAPI = super().setup_webserver()
        for action in ActionName:
            app.post(f"/{action}")(self._route(action))
        return app

    async def seed_session(self, request: Request, body: SeedRequest) -> BaseSeedSessionResponse:
        """Begins the episode; its first window stands in the prompt."""
        rollout = Rollout(self.config.base_url)
        await rollout.begin(Task.parse(body.task))
        self._rollouts[request.session[SESSION_ID_KEY]] = rollout
        return BaseSeedSessionResponse()

    async def verify(self, request: Request, body: VerifyRequest) -> VerifyResponse:
        """Scores the episode and ends it, finished or not."""
        rollout = self._rollouts.pop(request.session[SESSION_ID_KEY], None) or Rollout()
        await rollout.close()
        return VerifyResponse(**body.model_dump(), reward=rollout.score, **rollout.metrics)

    def _route(self, action: ActionName) -> Route:
        async def play(request: Request) -> str:
            """Anything may come as arguments: what cannot be read costs a step, as elsewhere."""
            rollout = self._rollouts.get(request.session[SESSION_ID_KEY])
            if rollout is None or rollout.done:
                return str(EpisodeOver())
            try:
                arguments = await request.json()
            except ValueError:
                arguments = {}
            return await rollout.call(action, arguments)

        return play


def rows(
    split: str, seeds: int, tiers: Sequence[str] = DEFAULT_TIERS, base_url: str | None = None
) -> list[dict[str, Any]]:
    """Lines of a JSON-lines file; their prompts hold the first windows.

    Raises UnknownName, InvalidValue, ConnectionError.
    """
    return [
        {
            "responses_create_params": {
                "input": first_messages(task, base_url),
                "tools": functions(),
                "parallel_tool_calls": False,
            },
            "task": task.key,
        }
        for task in tasks_of(split, seeds, tiers)
    ]


if __name__ == "__main__":
    SREAutopilotResourcesServer.run_webserver()
