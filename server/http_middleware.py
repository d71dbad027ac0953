"""What HTTP clients and proxies expect of any server, for all routes at once. Knows no route."""

from urllib.parse import urlsplit, urlunsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadMiddleware:
    """Answers HEAD as GET, without the body: monitors ask so whether a page is there."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET"}, receive, send_head)


class RelativeRedirectMiddleware:
    """Makes redirects to this server relative: behind TLS, only the proxy knows its own scheme."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_relative(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                target = urlsplit(headers.get("location", ""))
                if target.netloc and target.netloc == Headers(scope=scope).get("host"):
                    headers["location"] = urlunsplit(("", "", *target[2:]))
            await send(message)

        await self._app(scope, receive, send_relative if scope["type"] == "http" else send)
