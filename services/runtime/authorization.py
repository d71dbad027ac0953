"""Bearer tokens (RFC 6750): who may read and steer a part of the mesh. Knows no route."""

import hmac
from collections.abc import Collection, Mapping

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

HEADER, SCHEME = "Authorization", "Bearer"
REFUSED = {"detail": f"this port is not an agent's: send {HEADER}: {SCHEME} and the mesh's token"}


def bearer(token: str | None) -> Mapping[str, str]:
    """The headers that carry `token`; none where there is no token."""
    return {} if token is None else {HEADER: f"{SCHEME} {token}"}


def carries(header: str | None, token: str | None) -> bool:
    """Whether a request with this header may pass; each may where there is no token."""
    if token is None:
        return True
    scheme, _, sent = (header or "").partition(" ")
    is_right = hmac.compare_digest(sent.strip().encode(), token.encode())
    return is_right and scheme.lower() == SCHEME.lower()  # a scheme has no case (RFC 9110, 11.1)


class TokenMiddleware:
    """Answers 401 to requests without `token`, but for `open_paths`, which tell nothing."""

    def __init__(
        self, app: ASGIApp, token: str | None, open_paths: Collection[str] = frozenset()
    ) -> None:
        self._app, self._token, self._open_paths = app, token, open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = scope["type"] == "http" and scope["path"] not in self._open_paths
        if asked and not carries(Headers(scope=scope).get(HEADER), self._token):
            refusal = JSONResponse(REFUSED, 401, {"WWW-Authenticate": SCHEME})
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)
