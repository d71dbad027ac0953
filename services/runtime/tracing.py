"""Spans of one process: a tracer provider of its own, exported in batches. Sets nothing global."""

from enum import StrEnum

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.runtime.authorization import bearer
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
            resource=Resource({"service.name": spec.service_name, "service.instance.id": spec.name})
        )
        self.tracer = self.provider.get_tracer("services")
        self._windowed = self._export_to(spec.otlp_endpoint, spec.token)
        self._export_to(collector)

    def flush(self) -> None:
        """Blocks until every finished span has left for the orchestrator."""
        if self._windowed is not None:
            self._windowed.force_flush()

    def shutdown(self) -> None:
        """Sends what is left and ends the exporters."""
        self.provider.shutdown()

    def _export_to(
        self, endpoint: str | None, token: str | None = None
    ) -> BatchSpanProcessor | None:
        if endpoint is None:
            return None
        session = requests.Session()
        session.trust_env = False  # a proxy of the host must not get between neighbours
        url = endpoint.rstrip("/").removesuffix("/v1/traces") + "/v1/traces"
        headers = {**bearer(token)} or None  # None: those of the environment
        exporter = OTLPSpanExporter(url, headers=headers, timeout=EXPORT_TIMEOUT_S, session=session)
        processor = BatchSpanProcessor(exporter)
        self.provider.add_span_processor(processor)
        return processor
