"""Spans go to the configured orchestrator, also while another collector fails."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from services.runtime.spec import LOOPBACK, ProcessSpec
from services.runtime.tracing import Tracing
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import Release

REPLICA = f"{Service.USER_DB}-1"
HANGS_S = 20.0


class Receiver(HTTPServer):
    """Takes OTLP; waits for `go` before it answers.

    received: path and content of each request. answered: how many of them have an answer.
    """

    def __init__(self) -> None:
        super().__init__((LOOPBACK, 0), ReceiverHandler)
        self.go = threading.Event()
        self.received: list[tuple[str, ExportTraceServiceRequest]] = []
        self.answered = 0
        self.address = f"http://{LOOPBACK}:{self.server_port}"


class ReceiverHandler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.received.append((self.path, ExportTraceServiceRequest.FromString(body)))
        self.server.go.wait(HANGS_S)
        self.server.answered += 1
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def receivers() -> Iterator[tuple[Receiver, Receiver]]:
    """The orchestrator's, and a collector that hangs until let go."""
    prompt, slow = Receiver(), Receiver()
    prompt.go.set()
    threads = [
        threading.Thread(target=server.serve_forever, args=(0.02,)) for server in (prompt, slow)
    ]
    for thread in threads:
        thread.start()
    yield prompt, slow
    for server in (prompt, slow):
        server.go.set()
        server.shutdown()
        server.server_close()
    for thread in threads:
        thread.join()


def tracing(endpoint: str | None, collector: str | None = None) -> Tracing:
    spec = ProcessSpec(REPLICA, Release.CURRENT, 1, Path("unused"), otlp_endpoint=endpoint)
    return Tracing(spec, collector)


def test_a_flush_sends_every_span_that_ended(receivers: tuple[Receiver, Receiver]) -> None:
    orchestrator, _ = receivers
    traced = tracing(orchestrator.address)
    for name in ("one", "two"):
        with traced.tracer.start_as_current_span(name):
            pass
    traced.flush()
    [(path, request)] = orchestrator.received
    assert path == "/v1/traces"
    [resource_spans] = request.resource_spans
    resource = {a.key: a.value.string_value for a in resource_spans.resource.attributes}
    assert resource["service.name"] == Service.USER_DB
    assert resource["service.instance.id"] == REPLICA
    spans = [span.name for scope in resource_spans.scope_spans for span in scope.spans]
    assert sorted(spans) == ["one", "two"]
    traced.shutdown()


def test_a_collector_that_hangs_holds_up_no_flush(
    receivers: tuple[Receiver, Receiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.runtime.tracing.EXPORT_TIMEOUT_S", 2 * HANGS_S)
    orchestrator, collector = receivers
    traced = tracing(orchestrator.address, collector.address)
    with traced.tracer.start_as_current_span("one"):
        pass
    traced.flush()
    # Had the flush waited for the collector, the collector would have given up hanging by now.
    assert (len(orchestrator.received), collector.answered) == (1, 0)
    collector.go.set()
    traced.shutdown()
    assert len(collector.received) == 1


@pytest.mark.parametrize("suffix", ["", "/", "/v1/traces"])
def test_the_endpoint_may_be_the_base_or_the_route(
    receivers: tuple[Receiver, Receiver], suffix: str
) -> None:
    orchestrator, _ = receivers
    traced = tracing(orchestrator.address + suffix)
    with traced.tracer.start_as_current_span("one"):
        pass
    traced.shutdown()
    assert [path for path, _ in orchestrator.received] == ["/v1/traces"]


def test_without_an_endpoint_nothing_is_sent_and_nothing_waits() -> None:
    traced = tracing(None)
    with traced.tracer.start_as_current_span("one") as span:
        assert span.is_recording()
    traced.flush()
    traced.shutdown()
