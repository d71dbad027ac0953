"""Admission to the data port: sheds load above the in-flight limit, and measures served calls."""

import time

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.runtime.metrics import Metrics

UNROUTED = "unrouted"


class AdmissionMiddleware:
    """Answers 503 at once while `limit` calls are in flight, instead of queueing.

    A call is in flight until its answer begins. A streaming answer occupies a connection of the
    pool, not a place here, so that cursors left open exhaust the pool and nothing else.
    """

    def __init__(self, app: ASGIApp, limit: int, metrics: Metrics) -> None:
        self._app = app
        self._limit = limit
        self._metrics = metrics
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._in_flight >= self._limit:
            self._metrics.shed.inc()
            answer = JSONResponse({"detail": "too many requests in flight"}, 503)
            await answer(scope, receive, send)
            return
        await self._admit(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        status = 0

        async def begin(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._in_flight -= 1
            await send(message)

        self._in_flight += 1
        try:
            await self._app(scope, receive, begin)
        finally:
            if not status:
                self._in_flight -= 1
            route = getattr(scope.get("route"), "path", UNROUTED)
            self._metrics.served.labels(route, status or 500).observe(time.perf_counter() - started)
