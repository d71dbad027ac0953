"""Spans of one process: a tracer provider of its own. Sets nothing global."""

import threading
from collections import deque
from enum import StrEnum

import requests
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.runtime.spec import ProcessSpec

COLLECTOR_TIMEOUT_S = 1.0
KEPT_NS = 10_000_000_000
"""A span that ended so long ago belongs to no window that is still open."""
MAX_KEPT = 5_000
PROPAGATOR = TraceContextTextMapPropagator()
"""Carries a trace from a caller to its callee (W3C Trace Context)."""


class Attribute(StrEnum):
    """Attributes of spans by OpenTelemetry's semantic conventions for HTTP."""

    METHOD = "http.request.method"
    STATUS = "http.response.status_code"
    ROUTE = "http.route"
    URL = "url.full"
    SCHEME = "url.scheme"
    PATH = "url.path"
    QUERY = "url.query"
    ERROR = "error.type"


class EndedSpans(SpanProcessor):
    """Keeps spans that have ended until a window takes them, at most MAX_KEPT of the last KEPT_NS.

    Any thread may end spans or take them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended: deque[ReadableSpan] = deque(maxlen=MAX_KEPT)

    def on_end(self, span: ReadableSpan) -> None:
        oldest_ns = (span.end_time or 0) - KEPT_NS
        with self._lock:
            self._ended.append(span)
            while (self._ended[0].end_time or 0) < oldest_ns:
                self._ended.popleft()

    def take(self) -> bytes:
        """Those since the last call, as an OTLP ExportTraceServiceRequest. Empty where none are."""
        with self._lock:
            taken, self._ended = self._ended, deque(maxlen=MAX_KEPT)
        return encode_spans(taken).SerializeToString() if taken else b""


class Tracing:
    """The provider. Windows take its spans; a collector elsewhere gets a copy of them in batches,
    so that one that hangs delays no window.
    """

    def __init__(self, spec: ProcessSpec, collector: str | None = None) -> None:
        self.ended = EndedSpans()
        self.provider = TracerProvider(
            sampler=ALWAYS_ON,  # no neighbour leaves a trace out, so none need be asked
            resource=Resource(
                {"service.name": spec.service_name, "service.instance.id": spec.name}
            ),
        )
        self.provider.add_span_processor(self.ended)
        if collector is not None:
            self.provider.add_span_processor(BatchSpanProcessor(_exporter_to(collector)))
        self.tracer = self.provider.get_tracer("services")

    def shutdown(self) -> None:
        """Sends what is left to the collector."""
        self.provider.shutdown()


def _exporter_to(collector: str) -> OTLPSpanExporter:
    """collector: the base of its OTLP/HTTP address, or that of its traces."""
    session = requests.Session()
    session.trust_env = False  # a proxy of the host must not get between neighbours
    url = collector.rstrip("/").removesuffix("/v1/traces") + "/v1/traces"
    return OTLPSpanExporter(url, timeout=COLLECTOR_TIMEOUT_S, session=session)
