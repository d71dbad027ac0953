"""MCP: the session's episode as tools, one an action and two more.

OpenEnv has the endpoints, over POST /mcp and WebSocket. What is here decides nothing about an
episode.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any, Protocol

from fastmcp import FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools.base import ToolResult
from mcp.types import CallToolRequestParams

from orchestrator.actions import ACTIONS
from orchestrator.validation import parse_seed, parse_tier
from server.openenv_compat import serialize_observation
from sre_autopilot.errors import InvalidValue, SREError, UnknownField
from sre_autopilot.models import SREAction, SREObservation
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, Tier

BEGIN, OBSERVE = "begin_episode", "observe"
ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    BEGIN: ("task_tier", "seed"),
    OBSERVE: (),
    **{name: () if name is ActionName.WAIT else ("service_id",) for name in ACTIONS},
}
"""Of each tool."""
Tool = Callable[..., Awaitable[dict[str, Any]]]


class Playable(Protocol):
    """What the tools play on."""

    @property
    def observation(self) -> SREObservation: ...

    async def reset_async(self, *, task_tier: str, seed: int | None) -> SREObservation: ...

    async def step_async(self, action: SREAction | dict[str, Any]) -> SREObservation: ...


def check_arguments(tool: str, arguments: Mapping[str, Any]) -> None:
    """Refuses wrong arguments of a tool in the words of HTTP; an unknown tool is left alone.

    Raises UnknownField, UnknownName, InvalidAction, InvalidValue.
    """
    fields = ARGUMENTS.get(tool)
    if fields is None:
        return
    for name, value in arguments.items():
        if not fields:
            raise InvalidValue(name, value, f"left out: {tool} takes no arguments")
        if name not in fields:
            raise UnknownField(name, fields)
    if tool == BEGIN:
        parse_tier(arguments.get("task_tier", Tier.EASY))
        parse_seed(arguments.get("seed"))
    elif tool != OBSERVE:
        SREAction.parse({"action": tool, **arguments})


class ArgumentCheck(Middleware):
    """Checks the calls of MCP clients before pydantic does."""

    async def on_call_tool(
        self,
        context: MiddlewareContext[CallToolRequestParams],
        call_next: CallNext[CallToolRequestParams, ToolResult],
    ) -> ToolResult:
        try:
            check_arguments(context.message.name, context.message.arguments or {})
        except SREError as error:
            raise ToolError(str(error)) from None
        return await call_next(context)


def make_tools(episode: Playable) -> FastMCP:
    """A server whose tools act on `episode`; each answers observation, reward and done."""
    server: FastMCP = FastMCP("sre-autopilot", middleware=[ArgumentCheck()])

    async def begin_episode(task_tier: str = Tier.EASY, seed: int | None = None) -> dict[str, Any]:
        """Begins an episode (one that still runs is abandoned) and shows its first window."""
        return _answer(await episode.reset_async(task_tier=task_tier, seed=seed))

    async def observe() -> dict[str, Any]:
        """Shows the last window again; uses no step."""
        return _answer(episode.observation)

    server.tool(_checked(BEGIN, begin_episode), name=BEGIN)
    server.tool(_checked(OBSERVE, observe), name=OBSERVE)
    for name, action in ACTIONS.items():
        tool = _checked(name, _tool(episode, name))
        server.tool(tool, name=str(name), description=action.description)
    return server


def _tool(episode: Playable, name: ActionName) -> Tool:
    async def on_service(service_id: Service) -> dict[str, Any]:
        return _answer(await episode.step_async({"action": name, "service_id": service_id}))

    async def alone() -> dict[str, Any]:
        return _answer(await episode.step_async({"action": name}))

    return alone if name is ActionName.WAIT else on_service


def _checked(name: str, tool: Tool) -> Tool:
    """The same tool for OpenEnv's endpoints, which call it with any arguments by name."""

    @wraps(tool)
    async def checked(**arguments: Any) -> dict[str, Any]:
        check_arguments(name, arguments)
        return await tool(**arguments)

    return checked


def _answer(observation: SREObservation) -> dict[str, Any]:
    answer: dict[str, Any] = serialize_observation(observation)
    return answer
