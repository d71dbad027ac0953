"""An OpenAI-compatible endpoint with scripted answers, over real HTTP."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar


@dataclass(frozen=True)
class Reply:
    """One answer; `text`, whole or in parts, becomes a chat completion, `raw` is sent as it is."""

    text: str | list[Any] = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: str | None = None
    hang: bool = False
    trickle: bool = False

    def body(self) -> bytes:
        message = {"role": "assistant", "content": self.text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 700, "completion_tokens": 20, "total_tokens": 720}
        head = {"id": "1", "object": "chat.completion", "created": 1, "model": "scripted"}
        completion = json.dumps(head | {"choices": [choice], "usage": usage})
        return (completion if self.raw is None else self.raw).encode()


Server = TypeVar("Server", bound=ThreadingHTTPServer)
Script = Callable[[int], Reply]
"""Number of the request, from 0, -> the answer."""


class ScriptedModel(ThreadingHTTPServer):
    """Keeps the requests; those that hang are let go when it closes."""

    daemon_threads = True

    def __init__(self, script: Script) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = script
        self.requests: list[dict[str, Any]] = []
        self.over, self.lock = threading.Event(), threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: ScriptedModel
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.server.lock:
            number = len(self.server.requests)
            self.server.requests.append(asked | {"authorization": self.headers["authorization"]})
        reply = self.server.script(number)
        if reply.hang:
            self.server.over.wait()
            return
        body = reply.body()
        self.send_response(reply.status)
        for name, value in {"content-type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if reply.trickle:
            self._trickle(body)
        else:
            self.wfile.write(body)

    def _trickle(self, body: bytes) -> None:
        """A byte at a time, until the caller has gone or all is over."""
        period_s = 0.05
        for byte in body[:-1]:
            try:
                self.wfile.write(bytes([byte]))
            except OSError:
                return
            if self.server.over.wait(period_s):
                return

    def log_message(self, *_arguments: object) -> None:
        """Says nothing."""


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Serves in a thread of its own."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        over = getattr(server, "over", None)
        if over is not None:
            over.set()
        server.shutdown()
        server.server_close()
        thread.join()
