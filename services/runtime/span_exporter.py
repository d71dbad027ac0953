"""Sends spans to the orchestrator, which is a neighbour: OTLP/HTTP over one kept connection.

The SDK's own exporter goes through a general client, which costs a window as much as a service.
"""

import http.client
import logging
from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from services.runtime.authorization import bearer

ATTEMPTS = 2
"""The second one over a new connection: the receiver may have closed the kept one."""

_log = logging.getLogger(__name__)


class NeighbourSpanExporter(SpanExporter):
    """Exports to `url`, "http://HOST:PORT/PATH", with the mesh's token. For one thread at a time.

    What cannot be sent in two attempts of `timeout_s` is logged and lost.
    """

    def __init__(self, url: str, token: str | None, timeout_s: float) -> None:
        parts = urlsplit(url)
        self._path = parts.path
        self._headers = {"Content-Type": "application/x-protobuf", **bearer(token)}
        self._connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=timeout_s
        )

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        body = encode_spans(spans).SerializePartialToString()
        for _ in range(ATTEMPTS):
            try:
                status = self._post(body)
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                outcome = str(error) or type(error).__name__
                continue
            if status == HTTPStatus.OK:
                return SpanExportResult.SUCCESS
            outcome = f"the answer was {status}"
            break
        _log.error("%d spans did not reach the orchestrator: %s", len(spans), outcome)
        return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        self._connection.close()

    def _post(self, body: bytes) -> int:
        self._connection.request("POST", self._path, body, self._headers)
        answer = self._connection.getresponse()
        answer.read()
        return answer.status
