"""The answer to a request that the application never sees."""

from dataclasses import dataclass
from http import HTTPStatus

from starlette.types import Receive, Scope, Send

from server.error_response import RETRY_AFTER_S
from server.schemas import Problem


@dataclass(frozen=True)
class Refusal:
    """A `Problem` to a request that the application never sees; the connection ends after it."""

    status: HTTPStatus
    error: str
    detail: str

    @property
    def body(self) -> bytes:
        return Problem(error=self.error, detail=self.detail).model_dump_json().encode()

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        again = [(b"retry-after", str(RETRY_AFTER_S).encode())]
        return [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(self.body)).encode()),
            (b"connection", b"close"),
            *(again if self.status is HTTPStatus.SERVICE_UNAVAILABLE else ()),
        ]

    def response(self) -> bytes:
        """All bytes of it."""
        line = f"HTTP/1.1 {self.status.value} {self.status.phrase}".encode()
        fields = (b"%s: %s" % field for field in self.headers)
        return b"\r\n".join([line, *fields, b"", self.body])

    async def app(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """An application that answers every request so."""
        start = {"type": "http.response.start", "status": self.status, "headers": self.headers}
        await send(start)
        await send({"type": "http.response.body", "body": self.body})
