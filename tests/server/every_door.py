"""All doors of a server, and what an agent fetches there: routes, WebSocket messages, MCP tools."""

from collections.abc import Iterator, Sequence
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.testclient import TestClient

from server.schemas import DEFAULT_SESSION
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, Tier
from tests.server.doors import WAIT
from tests.server.leaks import Fetched

TOKEN = "open-sesame"
"""That of the operator: an agent that has it still has to say it rightly."""
RPC = {"jsonrpc": "2.0", "id": 1}


def paths_of(app: FastAPI) -> Iterator[str]:
    """Every route there is: those of the schema, and those that it leaves out."""
    unlisted = {getattr(route, "path", "/") for route in app.routes}
    yield from sorted({*app.openapi()["paths"], *unlisted, "/web", "/docs", "/metrics", "/nowhere"})


BODIES: tuple[Any, ...] = (
    *(None, {}, [], {"action": "reboot"}, {"task_tier": "brutal"}, {"session_id": "nobody"}),
    {"action": ActionName.RESTART, "service_id": "users"},
    *({**RPC, "method": method} for method in ("tools/list", "tools/call", "resources/list")),
)
BASELINES: dict[str, str] = {}
"""What /baseline answered in this module, by request."""
QUERIES = ("", "?session_id=nobody", "?tier=brutal", "?tier=hard&seed=1", "?seed=-1")


def tell(answer: Any) -> str:
    headers = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
    return f"{answer.status_code}\n{headers}\n{answer.text}"


def every_request(app: FastAPI, sessions: Sequence[str]) -> Iterator[tuple[str, str, Any]]:
    """Method, URL and body: GET, POST and the rest, with good input and bad."""
    for path in paths_of(app):
        for query in (*QUERIES, *(f"?session_id={name}" for name in sessions)):
            for method in ("GET", "HEAD") if not query else ("GET",):
                yield method, path + query, None
        for method in ("POST", "OPTIONS", "PUT", "DELETE"):
            for body in BODIES if method == "POST" else (None,):
                if path == "/reset" and body in (None, {}, {"session_id": "nobody"}):
                    continue  # would begin another episode
                yield method, path, body


def try_every_door(
    client: TestClient, app: FastAPI, sessions: Sequence[str] = (DEFAULT_SESSION,)
) -> Fetched:
    """What every request answers, asked on the server's own event loop: no thread is in between.

    /baseline plays in a session of its own: it answers the same whatever else is played, so that
    what it answered once is searched for the secrets of all.
    """
    assert client.portal is not None
    return client.portal.call(_try_every_one, app, sessions)


async def _try_every_one(app: FastAPI, sessions: Sequence[str]) -> Fetched:
    fetched = []
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
        for method, url, body in every_request(app, sessions):
            asked = f"{method} {url} {body}"
            if url.startswith("/baseline") and asked in BASELINES:
                fetched.append((asked, BASELINES[asked]))
                continue
            answer = tell(await client.request(method, url, json=body))
            fetched.append((asked, answer))
            if url.startswith("/baseline") and answer.startswith("200"):
                BASELINES[asked] = answer
    return fetched


def play_at(client: TestClient, tier: Tier, seed: int, steps: int) -> Fetched:
    """A while of an episode by each door that one can play by."""
    reset = {"task_tier": tier, "seed": seed}
    actions: list[dict[str, Any]] = [
        {"action": name, "service_id": Service.PAYMENT_GATEWAY} for name in ActionName
    ]
    actions += [WAIT] * steps
    begun = client.post("/reset", json=reset)
    fetched = [("reset", tell(begun))]
    session = {"session_id": begun.json().get("session_id", DEFAULT_SESSION)}
    for action in actions:
        fetched.append((f"step {action}", tell(client.post("/step", json=action | session))))
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": TOKEN}):
        fetched.append(("state", tell(client.get("/state", params=session, headers=headers))))
    fetched.append(("grader", tell(client.get("/grader", params=session))))
    with client.websocket_connect("/ws") as socket:
        messages: list[dict[str, Any]] = [{"type": "reset", "data": reset}]
        messages += [{"type": "step", "data": action} for action in (*actions, {"action": "x"})]
        messages += [{"type": "state"}, {"type": "hidden_state"}]
        messages.append({"type": "mcp", "data": {**RPC, "method": "tools/list"}})
        for message in messages:
            socket.send_json(message)
            fetched.append((f"/ws {message}", socket.receive_text()))
    with client.websocket_connect("/mcp") as socket:
        calls: list[tuple[str, dict[str, Any]]] = [("begin_episode", reset), ("observe", {})]
        for name in ActionName:
            wants = {} if name is ActionName.WAIT else {"service_id": Service.PAYMENT_GATEWAY}
            calls += [(name, wants), (name, {"service_id": "users"}), (name, {"fault": 1})]
        for tool, arguments in (*calls, ("hidden_state", {}), ("observe", {})):
            params = {"name": tool, "arguments": arguments}
            socket.send_json({**RPC, "method": "tools/call", "params": params})
            fetched.append((f"/mcp {params}", socket.receive_text()))
    return fetched
