"""Windows take spans, and a collector gets a copy of them, also where it hangs."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from services.runtime.spec import LOOPBACK, ProcessSpec
from services.runtime.tracing import KEPT_NS, Tracing
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
def collector() -> Iterator[Receiver]:
    """It hangs until let go."""
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.go.set()
    server.shutdown()
    server.server_close()
    thread.join()


def tracing(collector: str | None = None) -> Tracing:
    return Tracing(ProcessSpec(REPLICA, Release.CURRENT, 1, Path("unused")), collector)


def end_spans(traced: Tracing, *names: str, end_time_ns: int | None = None) -> None:
    for name in names:
        traced.tracer.start_span(name).end(end_time_ns)


def taken(traced: Tracing) -> list[str]:
    """Names of the spans that a window takes."""
    export = ExportTraceServiceRequest.FromString(traced.ended.take())
    return [
        span.name
        for resource in export.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def test_a_window_takes_every_span_that_ended_and_each_once() -> None:
    traced = tracing()
    under_way = traced.tracer.start_span("three")
    end_spans(traced, "one", "two")
    assert taken(traced) == ["one", "two"]
    assert taken(traced) == []
    under_way.end()
    assert taken(traced) == ["three"]


def test_spans_name_their_process() -> None:
    traced = tracing()
    end_spans(traced, "one")
    [of_one] = ExportTraceServiceRequest.FromString(traced.ended.take()).resource_spans
    resource = {a.key: a.value.string_value for a in of_one.resource.attributes}
    assert resource["service.name"] == Service.USER_DB
    assert resource["service.instance.id"] == REPLICA


def test_spans_of_long_ago_are_no_windows() -> None:
    traced = tracing()
    now_ns = time.time_ns()
    end_spans(traced, "old", end_time_ns=now_ns - 1)
    end_spans(traced, "new", end_time_ns=now_ns)
    end_spans(traced, "newest", end_time_ns=now_ns + KEPT_NS)
    assert taken(traced) == ["new", "newest"]


def test_no_more_spans_are_kept_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.runtime.tracing.MAX_KEPT", 2)
    traced = tracing()
    end_spans(traced, "one", "two", "three")
    assert taken(traced) == ["two", "three"]


def test_no_span_is_lost_or_taken_twice_while_others_end() -> None:
    traced, threads, spans = tracing(), 4, 200
    ending = [
        threading.Thread(target=end_spans, args=(traced, *(f"{t}-{i}" for i in range(spans))))
        for t in range(threads)
    ]
    for thread in ending:
        thread.start()
    names: list[str] = []
    while any(thread.is_alive() for thread in ending):
        names += taken(traced)
    names += taken(traced)
    assert sorted(names) == sorted(f"{t}-{i}" for t in range(threads) for i in range(spans))


def test_a_collector_that_hangs_holds_up_no_window(
    collector: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.runtime.tracing.COLLECTOR_TIMEOUT_S", 2 * HANGS_S)
    traced = tracing(collector.address)
    end_spans(traced, "one")
    assert taken(traced) == ["one"]
    # Had the window waited for the collector, it would have given up hanging by now.
    assert collector.answered == 0
    collector.go.set()
    traced.shutdown()
    assert len(collector.received) == 1


@pytest.mark.parametrize("suffix", ["", "/", "/v1/traces"])
def test_a_collectors_address_may_be_the_base_or_the_route(
    collector: Receiver, suffix: str
) -> None:
    collector.go.set()
    traced = tracing(collector.address + suffix)
    end_spans(traced, "one")
    traced.shutdown()
    assert [path for path, _ in collector.received] == ["/v1/traces"]
