"""Messages over WebSocket and JSON-RPC, checked before OpenEnv's endpoints see them, and the errors
of these in our own words.

Without the check, OpenEnv's sockets end a session where JSON is no object or not valid Unicode, and
answer other wrong messages with the texts of pydantic and Python.
"""

import json
from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.connection_limits import MAX_MESSAGE_BYTES
from server.openenv_compat import MCP_PATH, JsonRpcErrorCode, JsonRpcResponse
from sre_autopilot.errors import InvalidValue, SREError, UnknownField
from sre_autopilot.world.close_codes import CloseCode

CREATE_SESSION = b"openenv/session/create"
"""Method of JSON-RPC that begins a session."""
CALL_TOOL = "tools/call"
EXPECTED = "a message must be one JSON object of valid Unicode, with names as text"
REFUSED = json.dumps({"type": f"(none: {EXPECTED})"})
"""What a socket's endpoint gets in place of a bad message: a type that it does not know."""
TOO_BIG = f"a message may have {MAX_MESSAGE_BYTES} bytes"
RPC_FIELDS = ("jsonrpc", "method", "params", "id")
INVALID_MESSAGE = "Invalid message"
"""What OpenEnv says of a message that pydantic refuses."""


def parse(raw: str | bytes | None) -> dict[str, Any] | None:
    """A message as an object; None for what is no JSON.

    Raises InvalidValue for another kind of JSON, and for what cannot be written as UTF-8.
    """
    if raw is None:
        raise InvalidValue("message", "bytes", "text")
    try:
        message = json.loads(raw)
        json.dumps(message, ensure_ascii=False).encode()
    except json.JSONDecodeError:
        return None
    except (ValueError, RecursionError):
        raise InvalidValue("message", "something else", EXPECTED) from None
    if not isinstance(message, dict):
        raise InvalidValue("message", type(message).__name__, EXPECTED)
    return message


def rpc_refusal(raw: str | bytes | None) -> dict[str, Any] | None:
    """The answer to a JSON-RPC message that OpenEnv's endpoint cannot take; None where it can.

    What is no JSON at all, it refuses well itself.
    """
    try:
        message = parse(raw)
    except InvalidValue:
        return _rpc_error(JsonRpcErrorCode.INVALID_REQUEST, EXPECTED)
    return None if message is None else _refusal_of_call(message)


def _refusal_of_call(message: Mapping[str, Any]) -> dict[str, Any] | None:
    call_id = message.get("id")
    if isinstance(call_id, bool | float | list | dict):
        call_id = None
    try:
        _check_request(message)
    except SREError as error:
        return _rpc_error(JsonRpcErrorCode.INVALID_REQUEST, str(error), call_id)
    try:
        _check_params(message["method"], message.get("params", {}))
    except SREError as error:
        return _rpc_error(JsonRpcErrorCode.INVALID_PARAMS, str(error), call_id)
    return None


def _rpc_error(
    code: JsonRpcErrorCode, text: str, call_id: str | int | None = None
) -> dict[str, Any]:
    answer: dict[str, Any] = JsonRpcResponse.error_response(
        code, text, request_id=call_id
    ).model_dump()
    return answer


def _check_request(message: Mapping[str, Any]) -> None:
    """Raises UnknownField, InvalidValue."""
    for name in message:
        if name not in RPC_FIELDS:
            raise UnknownField(name, RPC_FIELDS)
    call_id = message.get("id")
    is_id = call_id is None or (isinstance(call_id, str | int) and not isinstance(call_id, bool))
    for field, is_right, expected in (
        ("jsonrpc", message.get("jsonrpc") == "2.0", "'2.0'"),
        ("method", isinstance(message.get("method"), str), "text"),
        ("params", isinstance(message.get("params", {}), dict), "an object"),
        ("id", is_id, "text or a whole number"),
        ("params.session_id", _has_session(message.get("params")), "text"),
    ):
        if not is_right:
            raise InvalidValue(field, message.get(field), expected)


def _has_session(params: object) -> bool:
    return not isinstance(params, dict) or isinstance(params.get("session_id"), str | None)


def _check_params(method: str, params: Mapping[str, Any]) -> None:
    """Raises InvalidValue for a call of a tool that is none."""
    if method != CALL_TOOL:
        return
    for field, kind, expected in (("name", str, "a tool's name"), ("arguments", dict, "an object")):
        if not isinstance(params.get(field, {} if field == "arguments" else None), kind):
            raise InvalidValue(f"params.{field}", params.get(field), expected)


class MessageMiddleware:
    """ASGI middleware of WebSockets. `app` sees a bad message as one of an unknown type, a bad
    JSON-RPC call not at all, and none of more than MAX_MESSAGE_BYTES: that closes the socket.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return

        async def receive_valid() -> Message:
            while True:
                message = await receive()
                if message["type"] != "websocket.receive":
                    return message
                text = message.get("text")
                if len(text or "") > MAX_MESSAGE_BYTES:  # of a server that bounds no messages
                    code = CloseCode.TOO_BIG
                    await send({"type": "websocket.close", "code": int(code), "reason": TOO_BIG})
                    return {"type": "websocket.disconnect", "code": int(code)}
                refusal = _refusal_of_message(text, is_rpc=scope["path"] == MCP_PATH)
                if refusal is None:
                    return message
                if isinstance(refusal, str):
                    return {"type": message["type"], "text": refusal}
                await send({"type": "websocket.send", "text": json.dumps(refusal)})

        async def send_in_our_words(message: Message) -> None:
            if INVALID_MESSAGE in message.get("text", ""):
                message = {**message, "text": in_our_words(message["text"])}
            await send(message)

        await self._app(scope, receive_valid, send_in_our_words)


def _refusal_of_message(text: str | None, *, is_rpc: bool) -> dict[str, Any] | str | None:
    """The answer to a message, or what the endpoint gets in its place; None where it is in order.

    is_rpc: whether it came to /mcp, where all messages are JSON-RPC.
    """
    if is_rpc:
        return rpc_refusal(text)
    try:
        message = parse(text)
    except InvalidValue:
        return REFUSED
    if message is None or message.get("type") != "mcp" or not isinstance(message.get("data"), dict):
        return None
    refusal = _refusal_of_call(message["data"])
    return refusal and {"type": "mcp", "data": refusal}


def in_our_words(text: str) -> str:
    """An error of OpenEnv with the first of pydantic's errors as its message, and as a Problem has
    it: `field` and `valid_values`.
    """
    answer = json.loads(text)
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, dict) or data.get("message") != INVALID_MESSAGE:
        return text
    first = (data.get("errors") or [{}])[0]
    context = first.get("ctx") or {}
    where = ".".join(map(str, first.get("loc", ()))) or "message"
    data["message"] = context.get("detail") or f"{where}: {first.get('msg', INVALID_MESSAGE)}"
    data["field"] = context.get("field", where)
    data["valid_values"] = context.get("valid")
    return json.dumps(answer)
