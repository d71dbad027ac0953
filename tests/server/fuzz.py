"""A fuzzer of the server: HTTP by its schema, WebSocket and JSON-RPC, by a seed.

    python -m tests.server.fuzz --requests 20000 --seed 0

Answers are wrong where they are 5xx other than 503, or errors that are no Problem; a request is
slow where it takes the server's loop, and with it every session, half a second of CPU.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from server.schemas import Problem
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, Tier
from tests.server.doors import Workshop, make_app

SLOW_S = 0.5
SOCKET_SHARE = 0.3
MESSAGES_PER_SOCKET = 10
STRANGE_SHARE = 0.1
"""Of methods that are drawn whatever the route has."""
MAX_DEPTH = 4
TEXTS = (
    *("", ".", "..", "-rf", "a/b", "\ud800", "\x00", "%00", "\u202e", "null", "None", "' OR 1=1"),
    *("a" * 5000, "[" * 3000, "9" * 5000, "default", "simulator", "process:X", "os:system"),
    *map(str, (*Service, *ActionName, *Tier)),
)
NUMBERS = (0, 1, -1, 2**31, 2**63, -(2**63), 10**400, 1.5, -0.0, float("nan"), float("inf"))
FIELDS = (
    *("session_id", "task_tier", "seed", "episode_id", "backend", "policy", "lenient"),
    *("action", "service_id", "timeout_s", "request_id", "jsonrpc", "id", "method", "params"),
    *("name", "arguments", "type", "data"),
)
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD")
RPC_METHODS = (
    *("tools/list", "tools/call", "openenv/session/create", "openenv/session/close"),
    *("initialize", "resources/list"),
)
KINDS = ("application/json", "application/json", "text/plain", "", "multipart/form-data", "a/b")


@dataclass
class Report:
    """What came back."""

    statuses: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest_s: float = 0.0


class Fuzzer:
    """Sends requests that are drawn from a seed to one server."""

    def __init__(self, client: TestClient, seed: int) -> None:
        self._client, self._draw = client, random.Random(seed)
        paths = client.get("/openapi.json").json()["paths"]
        self._operations = [(kind.upper(), path) for path in paths for kind in paths[path]]
        self.report = Report()

    def run(self, requests: int) -> Report:
        """Sends so many requests and messages."""
        sent = 0
        while sent < requests:
            if self._draw.random() < SOCKET_SHARE / MESSAGES_PER_SOCKET:
                sent += self._socket()
            else:
                self._timed(self._http)
                sent += 1
        return self.report

    def value(self, depth: int = 0) -> Any:
        """Any JSON, with names that mean something among it."""
        kind = self._draw.randrange(6 if depth < MAX_DEPTH else 4)
        if kind == 0:
            return self._draw.choice((None, True, False))
        if kind == 1:
            return self._draw.choice(NUMBERS)
        if kind <= 3:
            return self._draw.choice(TEXTS)
        if kind == 4:
            return [self.value(depth + 1) for _ in range(self._draw.randrange(4))]
        return self.fields(self._draw.randrange(5), depth)

    def fields(self, number: int, depth: int = 0) -> dict[str, Any]:
        """An object of so many fields, most of which some route knows."""
        names = self._draw.choices((*FIELDS, *TEXTS), k=number)
        return {name: self.value(depth + 1) for name in names}

    def rpc(self) -> dict[str, Any]:
        """A call of JSON-RPC, most of it in order."""
        call: dict[str, Any] = {"jsonrpc": "2.0", "id": self._draw.choice((1, "a", None))}
        call["method"] = self._draw.choice(RPC_METHODS)
        call["params"] = self._draw.choice(
            (
                {"name": self._draw.choice(TEXTS), "arguments": self.fields(2)},
                {"session_id": self._draw.choice(TEXTS)},
                self.fields(2),
                self.value(),
            )
        )
        return call | (self.fields(1) if self._draw.random() < 0.2 else {})

    def text(self) -> str:
        """A message: JSON, or nearly so."""
        kind = self._draw.random()
        if kind < 0.1:
            return self._draw.choice(("", "{", "nope", "\x00", "[" * 5000, '{"a":' * 999))
        body = self.rpc() if kind < 0.4 else self.value() if kind < 0.5 else self.fields(4)
        if kind > 0.7:
            kinds = ("reset", "step", "state", "mcp", "dance")
            body = {"type": self._draw.choice(kinds), "data": self._draw.choice((body, body, 5))}
        written = json.dumps(body)
        return written[: len(written) // 2] if kind > 0.98 else written

    def _http(self) -> None:
        draw = self._draw
        method, path = draw.choice([*self._operations, ("POST", "/reset"), ("POST", "/no")])
        method = draw.choice(METHODS) if draw.random() < STRANGE_SHARE else method
        path = path.replace("{session_id}", quote(draw.choice(TEXTS), errors="backslashreplace"))
        if path == "/baseline" and draw.random() > 0.02:  # three whole episodes
            path = "/grader"
        kind = draw.choice(KINDS)
        query = {draw.choice((*FIELDS, "tier")): draw.choice(TEXTS[7:])[:200] for _ in range(2)}
        query = {name: text for name, text in query.items() if text.isascii()}
        answer = self._client.request(
            method,
            path,
            params=query,
            content=self.text().encode(errors="surrogatepass"),
            headers={"content-type": kind} if kind else {},
        )
        self._judge(f"{method} {path} {query}", answer.status_code, answer.text, method)

    def _judge(self, what: str, status: int, text: str, method: str) -> None:
        self.report.statuses[str(status)] += 1
        if status >= 500 and status != 503:
            self.report.wrong.append(f"{status} to {what}: {text[:200]}")
        if status >= 400 and method != "HEAD" and not what.startswith("GET /ready"):
            try:
                Problem.model_validate_json(text)
            except ValidationError:
                self.report.wrong.append(f"no Problem, {status} to {what}: {text[:200]}")

    def _socket(self) -> int:
        """Messages to one WebSocket, each of which has an answer or ends it."""
        path = self._draw.choice(("/ws", "/mcp", "/ws?session_id=default", "/ws?session_id=no"))
        sent = 0
        try:
            with self._client.websocket_connect(path) as socket:
                for _ in range(MESSAGES_PER_SOCKET):
                    sent += 1
                    socket.send_text(self.text())
                    self._timed(socket.receive_text)
                    self.report.statuses[f"message to {path}"] += 1
        except WebSocketDisconnect as closed:
            self.report.statuses[f"closed {closed.code}"] += 1
        return max(sent, 1)

    def _timed(self, send: Any) -> None:
        began = time.process_time()
        send()
        self.report.slowest_s = max(self.report.slowest_s, time.process_time() - began)


def fuzz(requests: int, seed: int) -> Report:
    """The report of so many requests to a server of simulated meshes."""
    app = make_app(Workshop(), max_sessions=64)
    with TestClient(app, raise_server_exceptions=False) as client:
        client.post("/reset", json={"seed": 1})
        report = Fuzzer(client, seed).run(requests)
        client.post("/reset", json={"seed": 1})
        assert client.post("/step", json={"action": ActionName.WAIT}).status_code == 200
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description="Fuzz the server.")
    parser.add_argument("--requests", type=int, default=20_000, help="how many (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of all draws (%(default)s)")
    options = parser.parse_args()
    report = fuzz(options.requests, options.seed)
    lines = [f"{kind}: {count}" for kind, count in sorted(report.statuses.items())]
    lines += [f"slowest request: {report.slowest_s:.3f} s of CPU", *report.wrong[:50]]
    lines.append(f"{len(report.wrong)} wrong answers")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.exit(bool(report.wrong) or report.slowest_s > SLOW_S)


if __name__ == "__main__":
    main()
