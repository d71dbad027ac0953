"""MCP: the session's episode as tools, one an action and two more, and a check of messages.

OpenEnv has the endpoints, over POST /mcp and WebSocket. What is here decides nothing about an
episode.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Protocol

from fastmcp import FastMCP
from pydantic import BeforeValidator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator.actions import ACTIONS
from server.connection_limits import MAX_MESSAGE_BYTES
from server.openenv_compat import serialize_observation
from sre_autopilot.errors import UnknownName
from sre_autopilot.models import SREAction, SREObservation, as_pydantic, parse_name
from sre_autopilot.world.close_codes import CloseCode
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, Tier

CREATE_SESSION = b"openenv/session/create"
"""Method of JSON-RPC that begins a session."""
EXPECTED = "a message must be one JSON object of valid Unicode, with names as text"
REFUSED = json.dumps({"type": f"(none: {EXPECTED})"})
"""What a socket's endpoint gets in place of a bad message: a type that it does not know."""


TOO_BIG = f"a message may have {MAX_MESSAGE_BYTES} bytes"


class Playable(Protocol):
    """What the tools play on."""

    @property
    def observation(self) -> SREObservation: ...

    async def reset_async(self, *, task_tier: str, seed: int | None) -> SREObservation: ...

    async def step_async(self, action: SREAction | dict[str, Any]) -> SREObservation: ...


def _parse_service(value: object) -> Service:
    try:
        return parse_name(Service, "service_id", value)
    except UnknownName as error:
        raise as_pydantic(error) from error


ServiceArgument = Annotated[Service, BeforeValidator(_parse_service)]


def make_tools(episode: Playable) -> FastMCP:
    """A server whose tools act on `episode`; each answers observation, reward and done."""
    server: FastMCP = FastMCP("sre-autopilot")

    async def begin_episode(task_tier: str = Tier.EASY, seed: int | None = None) -> dict[str, Any]:
        """Begins an episode (one that still runs is abandoned) and shows its first window."""
        return _answer(await episode.reset_async(task_tier=task_tier, seed=seed))

    async def observe() -> dict[str, Any]:
        """Shows the last window again; uses no step."""
        return _answer(episode.observation)

    server.tool(begin_episode)
    server.tool(observe)
    for name, action in ACTIONS.items():
        server.tool(_tool(episode, name), name=str(name), description=action.description)
    return server


def _tool(episode: Playable, name: ActionName) -> Callable[..., Awaitable[dict[str, Any]]]:
    async def on_service(service_id: ServiceArgument) -> dict[str, Any]:
        return _answer(await episode.step_async({"action": name, "service_id": service_id}))

    async def alone() -> dict[str, Any]:
        return _answer(await episode.step_async({"action": name}))

    tool = alone if name is ActionName.WAIT else on_service
    tool.__qualname__ = str(name)  # stands in the errors of a call with wrong arguments
    return tool


def _answer(observation: SREObservation) -> dict[str, Any]:
    answer: dict[str, Any] = serialize_observation(observation)
    return answer


class MessageValidationMiddleware:
    """ASGI middleware; `app` sees a bad WebSocket message as one of an unknown type, and none of
    more than MAX_MESSAGE_BYTES: it closes the socket.

    Without it OpenEnv's sockets end the session where JSON is no object or not valid Unicode.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def receive_valid() -> Message:
            message = await receive()
            if message["type"] != "websocket.receive":
                return message
            text = message.get("text") or ""
            if len(text) > MAX_MESSAGE_BYTES:  # of a server that does not bound messages itself
                await send(
                    {"type": "websocket.close", "code": CloseCode.TOO_BIG, "reason": TOO_BIG}
                )
                return {"type": "websocket.disconnect", "code": CloseCode.TOO_BIG}
            if not is_valid(message.get("text")):
                return {"type": message["type"], "text": REFUSED}
            return message

        await self._app(scope, receive_valid if scope["type"] == "websocket" else receive, send)


def is_valid(raw: str | bytes | None) -> bool:
    """Whether OpenEnv's endpoints can read a message: an object in valid Unicode, or no JSON at
    all, which they refuse well themselves.
    """
    try:
        message = json.loads(raw or b"")
        json.dumps(message, ensure_ascii=False).encode()
    except json.JSONDecodeError:
        return raw is not None
    except (ValueError, RecursionError):
        return False
    return isinstance(message, dict) and _names_a_session(message.get("params"))


def _names_a_session(params: Any) -> bool:
    return not isinstance(params, dict) or isinstance(params.get("session_id"), str | None)
