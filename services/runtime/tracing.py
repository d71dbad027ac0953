"""Spans of one process: a tracer provider of its own, exported in batches. Sets nothing global."""

from enum import StrEnum

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.runtime.span_exporter import NeighbourSpanExporter
from services.runtime.spec import ProcessSpec

EXPORT_TIMEOUT_S = 1.0
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


class Tracing:
    """The provider, and the exporters behind it.

    The exporter to the orchestrator is flushed when a window ends. An external collector gets its
    own exporter, which is not flushed, so that a collector that hangs delays no window.
    """

    def __init__(self, spec: ProcessSpec, collector: str | None = None) -> None:
        self.provider = TracerProvider(
            sampler=ALWAYS_ON,  # no neighbour leaves a trace out, so none need be asked
            resource=Resource(
                {"service.name": spec.service_name, "service.instance.id": spec.name}
            ),
        )
        self.tracer = self.provider.get_tracer("services")
        self._windowed: BatchSpanProcessor | None = None
        if spec.otlp_endpoint is not None:
            url = _traces_url(spec.otlp_endpoint)
            exporter = NeighbourSpanExporter(url, spec.token, EXPORT_TIMEOUT_S)
            self._windowed = self._export_by(exporter)
        if collector is not None:
            session = requests.Session()
            session.trust_env = False  # a proxy of the host must not get between neighbours
            self._export_by(
                OTLPSpanExporter(_traces_url(collector), timeout=EXPORT_TIMEOUT_S, session=session)
            )

    def flush(self) -> None:
        """Blocks until every finished span has left for the orchestrator."""
        if self._windowed is not None:
            self._windowed.force_flush()

    def shutdown(self) -> None:
        """Sends what is left and ends the exporters."""
        self.provider.shutdown()

    def _export_by(self, exporter: SpanExporter) -> BatchSpanProcessor:
        processor = BatchSpanProcessor(exporter)
        self.provider.add_span_processor(processor)
        return processor


def _traces_url(endpoint: str) -> str:
    return endpoint.rstrip("/").removesuffix("/v1/traces") + "/v1/traces"
