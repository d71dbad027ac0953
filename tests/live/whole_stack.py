"""A whole stack as its player sees it, and as the engine sees its containers."""

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from chaos.faults.flapping_network import FlappingNetwork
from deploy.inspected import Containers, mesh_address, runs, unwell
from deploy.local_stack import Stack, docker
from orchestrator.errors import StackUnavailable
from sre_autopilot.world.stack import REPLICAS, Part
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, FlapCause, Tier

ANSWERED_WITHIN_S = 60.0
PATIENCE_S = 60.0
POLL_S = 0.1
SESSION = "default"


class Collector:
    """Takes OTLP over HTTP, and remembers which services had spans in each trace."""

    def __init__(self) -> None:
        self.services: dict[str, set[str]] = defaultdict(set)

    @contextmanager
    def listening(self) -> Iterator[int]:
        """The port, on every address: the stack's network is not there yet."""
        handler = type("Handler", (ExportHandler,), {"collector": self})
        with ThreadingHTTPServer(("0.0.0.0", 0), handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(POLL_S,))
            thread.start()
            try:
                yield server.server_port
            finally:
                server.shutdown()
                thread.join()

    def add(self, exported: ExportTraceServiceRequest) -> None:
        for resource in exported.resource_spans:
            (name,) = (
                a.value.string_value
                for a in resource.resource.attributes
                if a.key == "service.name"
            )
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.services[span.trace_id.hex()].add(name)


class ExportHandler(BaseHTTPRequestHandler):
    collector: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.collector.add(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Game:
    """One session on the stack's server. No call lasts longer than ANSWERED_WITHIN_S."""

    def __init__(self, up: Stack, collector: Collector) -> None:
        self.up = up
        self.collector = collector
        # A connection a call: what is killed takes no other call with it.
        self.http = httpx.Client(
            timeout=ANSWERED_WITHIN_S,
            trust_env=False,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    def close(self) -> None:
        self.http.close()

    def ask(self, path: str, **body: Any) -> httpx.Response | None:
        """None without any answer. Raises httpx.TimeoutException where a call hangs."""
        try:
            url = self.up.url(Part.ORCHESTRATOR) + path
            asked = {"session_id": SESSION, **body}
            return self.http.post(url, json=asked)
        except httpx.TimeoutException:
            raise
        except (httpx.TransportError, StackUnavailable):
            return None

    def reset(self, tier: Tier, seed: int = 0) -> dict[str, Any]:
        return _observation(self.ask("/reset", task_tier=tier, seed=seed))

    def step(
        self, action: ActionName = ActionName.WAIT, service: Service | None = None
    ) -> dict[str, Any]:
        return _observation(self.ask("/step", action=action, service_id=service))

    def end(self) -> None:
        """Makes room for another session."""
        url = f"{self.up.url(Part.ORCHESTRATOR)}/sessions/{SESSION}"
        self.http.delete(url)

    def containers(self) -> Containers:
        return self.up.containers()

    def running(self) -> frozenset[str]:
        return frozenset(name for name, raw in self.containers().items() if runs(raw))

    def started(self) -> dict[str, str]:
        """When each container began to run."""
        return {name: raw["State"]["StartedAt"] for name, raw in self.containers().items()}

    def events(self, since_s: float, *filters: str) -> list[dict[str, Any]]:
        """The engine's, from then to now. It keeps 256 in all, and health checks make many."""
        filter_options = [f"--filter={each}" for each in filters]
        times = f"--since={since_s:.6f}", f"--until={time.time():.6f}"
        lines = docker("events", *times, *filter_options, "--format={{json .}}")
        return [json.loads(line) for line in lines.splitlines()]

    def mesh_address(self, name: str) -> str | None:
        """Where it is on the mesh; None while it is cut off."""
        return mesh_address(self.up.inspect(name))

    def assert_well(self) -> None:
        """No fault stays: the first replicas serve unharmed, the standbys rest, all parts run."""
        containers = self.containers()
        assert containers.keys() >= {*map(str, REPLICAS), *Part}
        assert unwell(containers) == []


def _observation(answer: httpx.Response | None) -> dict[str, Any]:
    assert answer is not None, "the server does not answer"
    assert answer.status_code == httpx.codes.OK, answer.text
    observation: dict[str, Any] = answer.json()["observation"]
    return observation


def flapping(cause: FlapCause, *, down: range, up: range) -> int:
    """A seed of the hard tier whose bursts include the one range of steps and not the other."""
    return next(
        seed
        for seed in count()
        for fault in [FlappingNetwork.draw(seed)]
        if fault.cause is cause
        and all(map(fault.flap.down, down))
        and not any(map(fault.flap.down, up))
    )


def wait_until(holds: Callable[[], bool], patience_s: float = PATIENCE_S) -> float:
    """How long it took, in seconds."""
    began_s, pause = time.monotonic(), threading.Event()
    while not holds():
        assert time.monotonic() - began_s < patience_s, "waited in vain"
        pause.wait(POLL_S)
    return time.monotonic() - began_s
