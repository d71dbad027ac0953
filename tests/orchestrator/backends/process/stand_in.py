"""A zygote whose services are stand-ins: both ports are one tiny HTTP server; none calls another.

Each page of metrics counts ten more calls to every callee. Each flush tells of one call to every
callee, which ended when the window began: at the page before the last. PUT /die ends the process
with the exit code in its body; GET /routing tells what was told. Whoever drops all calls dies of
it, and whoever is cut off altogether answers nonsense. Special seeds make one process misbehave at
its start.
"""

import json
import os
import sys
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from orchestrator.backends.process import zygote
from services.runtime.memory import proportional_bytes
from services.runtime.spec import ProcessSpec
from sre_autopilot.world.signals import (
    CLIENT_DURATION,
    CPU_SECONDS,
    DURATION_BUCKETS_S,
    MEMORY_BYTES,
    METRICS_LENGTH,
    SPAN_OUTCOME,
    SPAN_PEER,
    ControlRoute,
    Outcome,
)
from sre_autopilot.world.topology import CALLS, ENTRY, Service

COMMAND = (sys.executable, "-m", "tests.orchestrator.backends.process.stand_in")
CRASHES = 66_001
NEVER_READY = 66_002
CALLS_PER_PAGE = 10


class StandIn:
    """State of one process."""

    def __init__(self, spec: ProcessSpec) -> None:
        self.spec = spec
        self.callees = (ENTRY,) if spec.service is None else CALLS[spec.service]
        self.routing: dict[str, Any] = {}
        self.pushes = 0
        self.pages = 0
        self.window_began_ns = self.last_page_ns = time.time_ns()
        self.leaked: list[bytes] = []

    def page(self) -> str:
        self.pages += 1
        self.window_began_ns, self.last_page_ns = self.last_page_ns, time.time_ns()
        lines = [
            f"{CPU_SECONDS} {time.process_time()}",
            f"{MEMORY_BYTES} {proportional_bytes()}",
        ]
        for callee in self.callees:
            labels = f'outcome="{Outcome.OK}",server_address="{callee}"'
            lines += [
                f'{CLIENT_DURATION}_bucket{{le="{bound}",{labels}}} {self.pages * CALLS_PER_PAGE}'
                for bound in (*DURATION_BUCKETS_S, "+Inf")
            ]
        return "\n".join(lines) + "\n"

    def impair(self, impairments: dict[str, Any]) -> dict[str, Any]:
        self.leaked.append(b"\1" * int(impairments["memory_leak_mb"] * 1024 * 1024))
        if impairments["drop_ratio"] == 1.0:
            os._exit(137)
        return impairments if impairments["partitioned"] < 1.0 else {"partitioned": "what?"}

    def spans(self) -> bytes:
        export = ExportTraceServiceRequest()
        resource = export.resource_spans.add()
        resource.resource.attributes.append(_attribute("service.name", self.spec.service_name))
        spans = resource.scope_spans.add().spans
        for index, callee in enumerate(self.callees):
            spans.append(_call(callee, index, self.window_began_ns))
        if self.spec.service is ENTRY:
            spans.append(_served(self.window_began_ns))
        return bytes(export.SerializeToString())


def _attribute(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def _call(callee: Service, index: int, ended_ns: int) -> Span:
    return Span(
        kind=Span.SPAN_KIND_CLIENT,
        trace_id=bytes(16),
        span_id=bytes(7) + bytes([index]),
        start_time_unix_nano=ended_ns - 4_000_000,
        end_time_unix_nano=ended_ns,
        attributes=[_attribute(SPAN_PEER, callee), _attribute(SPAN_OUTCOME, Outcome.OK)],
    )


def _served(ended_ns: int) -> Span:
    """The users' call, as the gateway saw it."""
    kind = Span.SPAN_KIND_SERVER
    return Span(kind=kind, parent_span_id=bytes(8), end_time_unix_nano=ended_ns)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    state: StandIn

    def do_GET(self) -> None:
        if self.path == ControlRoute.METRICS:
            self._answer(self.state.page().encode())
        else:
            own = {"pushes": self.state.pushes, "release": self.state.spec.release}
            self._answer(json.dumps({**self.state.routing, **own}).encode())

    def do_PUT(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/die":
            os._exit(body)
        if self.path == ControlRoute.ROUTING:
            self.state.routing, self.state.pushes = body, self.state.pushes + 1
        elif self.path == ControlRoute.IMPAIRMENTS:
            body = self.state.impair(body)
        self._answer(json.dumps(body).encode())

    def do_POST(self) -> None:
        page = self.state.page().encode()
        self._answer(page + self.state.spans(), {METRICS_LENGTH: str(len(page))})

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, body: bytes, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        self.send_response(200)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def serve(plain: dict[str, Any], report_fd: int) -> None:
    spec = ProcessSpec.from_json(plain)
    if spec.service is Service.USER_DB and spec.seed == CRASHES:
        sys.exit("the disk is on fire")
    server = ThreadingHTTPServer((spec.host, 0), type("", (Handler,), {"state": StandIn(spec)}))
    if spec.service is not Service.USER_DB or spec.seed != NEVER_READY:
        port = server.server_address[1]
        ports = {"data_port": port, "control_port": port}
        ready = {"event": "ready", "name": spec.name, "pid": os.getpid(), **ports}
        os.write(report_fd, json.dumps(ready).encode() + b"\n")
    server.serve_forever()


if __name__ == "__main__":
    zygote.main(lambda: serve)
