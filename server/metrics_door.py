"""/metrics, for operators: they hold the truth, so no agent may read them. They have a port of
their own, and on a judged server ask for a token.
"""

import asyncio
import errno
import logging
import socket
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager, suppress
from http.server import HTTPServer
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app, start_http_server

from orchestrator.settings import variable
from services.runtime.authorization import SCHEME, carries

WAKE_S = 0.02

log = logging.getLogger(__name__)


@asynccontextmanager
async def serving_metrics(
    registry: CollectorRegistry, host: str, port: int, tokens: Collection[str] = ()
) -> AsyncIterator[None]:
    """Serves `registry` as /metrics while the context lasts; logs a warning where it cannot.

    tokens: one of them is asked for; where there is none, everybody may read.
    """
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        reason = f"port {port} is taken" if taken else f"{host}:{port}: {error.strerror}"
        log.warning(
            "no /metrics: %s; set %s to another port, or to 0 for a free one%s",
            reason,
            variable("metrics_port"),
            "" if taken else f", or {variable('metrics_host')} to another address",
        )
        yield
        return
    server.set_app(_asking_for(tokens, make_wsgi_app(registry)))
    log.info("metrics on http://%s:%d/metrics", *server.server_address)
    try:
        yield
    finally:
        await _shut_down(server)
        server.server_close()
        thread.join()


def _asking_for(tokens: Collection[str], app: WSGIApplication) -> WSGIApplication:
    """`app`, which answers 401 to requests without one of `tokens`."""

    def guarded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        header = environ.get("HTTP_AUTHORIZATION")
        if not tokens or any(carries(header, token) for token in tokens):
            return app(environ, start_response)
        start_response("401 Unauthorized", [("WWW-Authenticate", SCHEME)])
        return [b"these metrics hold the truth: send a token\n"]

    return guarded


async def _shut_down(server: HTTPServer) -> None:
    """Ends the loop of `server`, which looks every 0.5 s and at each connection whether it is to
    end: so it gets connections until it has.
    """
    host = str(server.server_address[0])
    stopping = asyncio.create_task(asyncio.to_thread(server.shutdown))
    while not stopping.done():
        with suppress(OSError):
            socket.create_connection((host, server.server_port), WAKE_S).close()
        await asyncio.wait({stopping}, timeout=WAKE_S)
    await stopping
