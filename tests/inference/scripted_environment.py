"""The environment's HTTP contract over the simulator: reset, step and the end of a session."""

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from orchestrator.environment import Environment
from sre_autopilot.errors import SREError
from tests.watched_simulator import WatchedSimulator

Answered = tuple[int, Mapping[str, object], Mapping[str, str]]
"""Status, JSON body, headers."""
OK, NO_CONTENT, BAD, BUSY = 200, 204, 422, 503
VALIDITY_TEXT = "valid: the machine was too busy in 0 of 31 windows"


ANSWERS: dict[str, dict[str, Any]] = {}
"""What an episode answers to the last of its calls, by all of them: most tests play the same one,
which takes 0.1 s of CPU."""


class Episode:
    """Of a session; it is played as far as its answers are not in ANSWERS."""

    def __init__(self) -> None:
        self._calls: list[dict[str, Any]] = []
        self._environment: Environment | None = None
        self._played = 0

    def answer(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Raises SREError."""
        calls = [*self._calls, body]
        if path == "/reset":
            calls, self._played = [body], 0
        key = json.dumps(calls)
        if key not in ANSWERS:
            ANSWERS[key] = self._play(calls)
        self._calls = calls
        return ANSWERS[key]

    def _play(self, calls: list[dict[str, Any]]) -> dict[str, Any]:
        if self._environment is None:
            self._environment = Environment(WatchedSimulator)
        if self._played == 0:
            now = self._environment.reset(**calls[0])
            self._played = 1
        for body in calls[self._played :]:
            now = self._environment.step(body)
            self._played += 1
        fields = now.model_dump(mode="json", exclude={"reward", "done"})
        return {"observation": fields, "reward": now.reward, "done": now.done}

    def close(self) -> None:
        if self._environment is not None:
            self._environment.close()


class ScriptedEnvironment(ThreadingHTTPServer):
    """`before(path, number)` may answer in the environment's place, or raise to cut the line."""

    daemon_threads = True

    def __init__(self, before: Callable[[str, int], Answered | None] = lambda *_: None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.before = before
        self.episodes: dict[str, Episode] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.closed: list[str] = []
        self.lock, self.over = threading.Lock(), threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def server_close(self) -> None:
        super().server_close()
        for episode in self.episodes.values():
            episode.close()

    def handle_error(self, *_arguments: object) -> None:
        """A client that leaves in the middle of an answer is expected."""

    def answer(self, path: str, body: dict[str, Any]) -> Answered:
        with self.lock:
            number = sum(called == path for called, _ in self.calls)
            self.calls.append((path, body))
        instead = self.before(path, number)
        if instead is not None:
            return instead
        session = body.pop("session_id")
        try:
            return OK, self.episodes.setdefault(session, Episode()).answer(path, body), {}
        except SREError as error:
            return BAD, {"error": type(error).__name__, "detail": str(error)}, {}


class _Handler(BaseHTTPRequestHandler):
    server: ScriptedEnvironment
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        try:
            status, answer, headers = self.server.answer(self.path, body)
        except ConnectionAbortedError:
            self.close_connection = True
            return
        content = json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        """/grader, of which inference.py reads the validity alone."""
        content = json.dumps(
            {"validity": {"text": VALIDITY_TEXT}} if VALIDITY_TEXT else {}
        ).encode()
        self.send_response(OK if self.path.startswith("/grader?session_id=") else BAD)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_DELETE(self) -> None:
        self.server.closed.append(self.path.removeprefix("/sessions/"))
        self.send_response(NO_CONTENT)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Says nothing."""
