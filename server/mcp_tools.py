"""The session's episode as MCP tools: one an action, and those to begin and to look."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from fastmcp import FastMCP
from openenv.core.env_server.serialization import serialize_observation

from orchestrator.actions import ACTIONS
from sre_autopilot.models import SREAction, SREObservation
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, Tier


class Playable(Protocol):
    """What the tools play on."""

    @property
    def seen(self) -> SREObservation: ...

    async def reset_async(self, *, task_tier: str, seed: int | None) -> SREObservation: ...

    async def step_async(self, action: SREAction | dict[str, Any]) -> SREObservation: ...


def make_tools(episode: Playable) -> FastMCP:
    """A server whose tools act on `episode`; each answers observation, reward and done."""
    server: FastMCP = FastMCP("sre-autopilot")

    async def begin_episode(task_tier: str = Tier.EASY, seed: int | None = None) -> dict[str, Any]:
        """Begins an episode (one that still runs is abandoned) and shows its first window."""
        return _told(await episode.reset_async(task_tier=task_tier, seed=seed))

    async def observe() -> dict[str, Any]:
        """Shows the last window again; uses no step."""
        return _told(episode.seen)

    server.tool(begin_episode)
    server.tool(observe)
    for name in ActionName:
        server.tool(_tool(episode, name), name=str(name), description=inspect.getdoc(ACTIONS[name]))
    return server


def _tool(episode: Playable, name: ActionName) -> Callable[..., Awaitable[dict[str, Any]]]:
    async def on_service(service_id: Service) -> dict[str, Any]:
        return _told(await episode.step_async({"action": name, "service_id": service_id}))

    async def alone() -> dict[str, Any]:
        return _told(await episode.step_async({"action": name}))

    tool = alone if name is ActionName.WAIT else on_service
    tool.__qualname__ = str(name)  # stands in the errors of a call with wrong arguments
    return tool


def _told(observation: SREObservation) -> dict[str, Any]:
    told: dict[str, Any] = serialize_observation(observation)
    return told
