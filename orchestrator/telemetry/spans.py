"""Takes spans (OTLP) and returns calls. Keeps the last seconds only."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from orchestrator.telemetry.window import EdgeCall
from sre_autopilot.world.signals import SPAN_OUTCOME, SPAN_PEER, Outcome

RETENTION_S = 10.0
MAX_SPANS = 20_000
NANOS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _ClientSpan:
    trace_id: bytes
    span_id: bytes
    caller: str
    callee: str
    start_ns: int
    end_ns: int
    failed: bool


class SpanStore:
    """Spans of the last `retention_s` seconds of the services' own clock, `max_spans` at most."""

    def __init__(self, retention_s: float = RETENTION_S, max_spans: int = MAX_SPANS) -> None:
        self._retention_ns = int(retention_s * NANOS)
        self._clients: deque[_ClientSpan] = deque(maxlen=max_spans)
        self._served: deque[tuple[int, bytes, str]] = deque(maxlen=max_spans)
        self._newest_ns = 0

    def __len__(self) -> int:
        return len(self._clients) + len(self._served)

    def add(self, exported: ExportTraceServiceRequest) -> None:
        """Keeps the client and server spans of one export; other kinds are ignored."""
        for resource in exported.resource_spans:
            service = _text(resource.resource.attributes, "service.name")
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self._add(service, span)
        self._forget()

    def edge_calls(self, start_ns: int, end_ns: int) -> tuple[EdgeCall, ...]:
        """Calls whose client span ended within [start_ns, end_ns] (unix), ordered by start."""
        served = {(parent, service) for _, parent, service in self._served}
        in_window = [span for span in self._clients if start_ns <= span.end_ns <= end_ns]
        in_window.sort(key=lambda span: (span.start_ns, span.span_id))
        return tuple(
            EdgeCall(
                caller=span.caller,
                callee=span.callee,
                latency_ms=(span.end_ns - span.start_ns) / 1e6,
                failed=span.failed,
                trace_id=span.trace_id.hex(),
                served_span=(span.span_id, span.callee) in served,
                started_at=span.start_ns / NANOS,
            )
            for span in in_window
        )

    def _add(self, service: str, span: Span) -> None:
        self._newest_ns = max(self._newest_ns, span.end_time_unix_nano)
        if span.kind == Span.SPAN_KIND_SERVER:
            self._served.append((span.end_time_unix_nano, span.parent_span_id, service))
        elif span.kind == Span.SPAN_KIND_CLIENT and (callee := _text(span.attributes, SPAN_PEER)):
            self._clients.append(
                _ClientSpan(
                    trace_id=span.trace_id,
                    span_id=span.span_id,
                    caller=service,
                    callee=callee,
                    start_ns=span.start_time_unix_nano,
                    end_ns=span.end_time_unix_nano,
                    failed=_failed(span),
                )
            )

    def _forget(self) -> None:
        """Drops spans that are too old: they are in front, as batches arrive nearly in order."""
        oldest_ns = self._newest_ns - self._retention_ns
        while self._clients and self._clients[0].end_ns < oldest_ns:
            self._clients.popleft()
        while self._served and self._served[0][0] < oldest_ns:
            self._served.popleft()


def _text(attributes: Iterable[KeyValue], key: str) -> str:
    return next((a.value.string_value for a in attributes if a.key == key), "")


def _failed(span: Span) -> bool:
    """Whether the call failed: by its outcome, or where the span has none by its status."""
    outcome = _text(span.attributes, SPAN_OUTCOME)
    return outcome != Outcome.OK if outcome else span.status.code == Status.STATUS_CODE_ERROR
