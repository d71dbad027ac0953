"""The server span of each call that the data port takes."""

from collections.abc import Iterable

from opentelemetry import context, trace
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import SpanKind, StatusCode, Tracer
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.runtime.tracing import PROPAGATOR, Attribute

INTERNAL_ERROR = 500
Headers = Iterable[tuple[bytes, bytes]]


class HeadersGetter(Getter[Headers]):
    """Reads the headers of an ASGI scope, whose names are in lower case."""

    def get(self, carrier: Headers, key: str) -> list[str] | None:
        name = key.encode("latin-1")
        return [value.decode("latin-1") for header, value in carrier if header == name] or None

    def keys(self, carrier: Headers) -> list[str]:
        return [header.decode("latin-1") for header, _ in carrier]


GETTER = HeadersGetter()


class ServerSpanMiddleware:
    """Makes the span current inside `app`; ends it with the call, named by its route.

    Attributes and status are OpenTelemetry's conventions for HTTP servers: a 5xx is an error.
    """

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = INTERNAL_ERROR  # where the app raises, or the process ends, before an answer

        async def noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        parent = PROPAGATOR.extract(scope["headers"], context.Context(), GETTER)
        span = self._tracer.start_span(scope["method"], parent, SpanKind.SERVER)
        token = context.attach(trace.set_span_in_context(span, parent))
        try:
            await self._app(scope, receive, noting_status)
        finally:
            context.detach(token)
            self._end(span, scope, status)

    def _end(self, span: trace.Span, scope: Scope, status: int) -> None:
        attributes: dict[str, str | int] = {
            Attribute.METHOD: scope["method"],
            Attribute.SCHEME: scope["scheme"],
            Attribute.PATH: scope["path"],
            Attribute.STATUS: status,
        }
        if query := scope["query_string"]:
            attributes[Attribute.QUERY] = query.decode("latin-1")
        if route := getattr(scope.get("route"), "path", None):
            attributes[Attribute.ROUTE] = route
            span.update_name(f"{scope['method']} {route}")
        if status >= INTERNAL_ERROR:
            attributes[Attribute.ERROR] = str(status)
            span.set_status(StatusCode.ERROR)
        span.set_attributes(attributes)
        span.end()
