"""Messages that OpenEnv's endpoints would fall over, refused before they can do harm.

Its sockets end the session, and its POST /mcp answers 500, where JSON is no object or not sound.
Knows nothing of what messages mean.
"""

import json
from typing import Any

from fastapi import FastAPI, Request
from fastapi.routing import APIRoute
from openenv.core.env_server.mcp_types import JsonRpcErrorCode, JsonRpcResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

WANTED = "a message must be one JSON object of sound text, with names as text"
REFUSED = json.dumps({"type": f"(none: {WANTED})"})
"""What a socket's endpoint gets in place of a bad message: a type that it does not know."""
MCP_PATH = "/mcp"


class SoundMessages:
    """ASGI middleware; `app` sees a bad WebSocket message as one of an unknown type."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def receive_sound() -> Message:
            message = await receive()
            if message["type"] == "websocket.receive" and not is_sound(message.get("text")):
                return {"type": message["type"], "text": REFUSED}
            return message

        await self._app(scope, receive_sound if scope["type"] == "websocket" else receive, send)


def harden_mcp(app: FastAPI) -> None:
    """Puts a check before OpenEnv's POST /mcp."""
    (route,) = (r for r in app.routes if isinstance(r, APIRoute) and r.path == MCP_PATH)
    app.routes.remove(route)

    @app.post(MCP_PATH, tags=["MCP"], summary="Tools as JSON-RPC 2.0")
    async def mcp(request: Request) -> dict[str, Any]:
        """tools/list and tools/call; openenv/session/create gives a session_id for params."""
        if is_sound(await request.body()):
            answer: dict[str, Any] = await route.endpoint(request)
        else:
            refusal = JsonRpcResponse.error_response(JsonRpcErrorCode.INVALID_REQUEST, WANTED)
            answer = refusal.model_dump()
        return answer


def is_sound(raw: str | bytes | None) -> bool:
    """Whether it is an object in sound Unicode, or no JSON: that the endpoints refuse well."""
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
